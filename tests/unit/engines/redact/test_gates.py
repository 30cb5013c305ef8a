"""The gates in front of the detectors miss nothing that a detector finds, wherever it stands."""

from collections import Counter
from itertools import pairwise, product
from time import process_time

import pytest

from reflexarc.engines.otlp.wire import field_of
from reflexarc.engines.redact import keys
from reflexarc.engines.redact.gates import MANY, Gates
from reflexarc.engines.redact.linear import relaxed
from reflexarc.engines.redact.numbers import NumberGate
from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import Detectors, RedactionPattern, RedactionPolicy
from reflexarc.engines.redact.text import TextRedactor

A36 = "aB3" * 12
SAMPLES = (
    *("bob@example.com", "bob%40example.com", "josé@ex.де", "bob@[192.0.2.1]"),
    *("4111111111111111", "4222222222222", "4111 1111 1111 1111", "4111-1111-1111-1111"),
    *("4000000000000000006", "3782 822463 10005", "30569309025904", "6200 0000 0000 0005"),
    *("+14155552671", "+1 (415) 555-2671", "%2B14155552671", "%2b14155552671", "(415) 555-2671"),
    *("415-555-2671", "415.555.2671", "020 7946 0958", "01632 960961", "(0163) 2960961"),
    *("01.23.45.67.89", "0044 20 7946 0958", "+290 12345", "+44 (0)20 7946 0958"),
    *("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "ABIAIOSFODNN7EXAMPLE"),
    *("ACCAIOSFODNN7EXAMPLE", "AKIA/ASIAIOSFODNN7EXAMPLE", "AKIAIza" + "aB3_-" * 7),
    *(f"gh{kind}_{A36}" for kind in "pousr"),
    *("github_pat_11ABCDEFG0123456789_abcdefghij", "glpat-0123456789abcdefghij"),
    *(
        "xoxb-123456789012",
        "xoxoxb-123456789012",
        "xoxe.xoxp-1-abcdefghijklmnop",
        "xapp-1-A0123456789",
    ),
    *(
        "hooks.slack.com/services/T00000000/B00000000/XXXX",
        "sk-" + "aB3" * 8,
        "GOCSPX-" + "aB3" * 8,
    ),
    *("sk-proj-abcdef0123456789", "sk-None-abcdef0123456789", "AIza" + "aB3_-" * 7),
    *("sk_live_0123456789", "rk_test_0123456789", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0"),
    *("rxa_0123456789abcdef_" + "0a" * 32, "hf_" + "aB" * 17, "nvapi-abcdefghij0123456789"),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----\nMII"),
    *("password=abc", "PASSWD=abc", "PassPhrase=abc", "api-key=abc", "apiKey=abc", "api_key=abc"),
    *(
        "secret=abc",
        "secret_access_key=abc",
        "private-key=abc",
        "privateKey=abc",
        "private_key=abc",
    ),
    *(
        f"{kind}{between}token=abc"
        for kind, between in product(
            ("access", "Auth", "refresh", "id", "session", "security"), ("", "_", "-")
        )
    ),
    *(
        "Authorization: abcdef",
        "Cookie: a=b",
        "bearer 0123456789ab",
        "https://u:p@h",
        "redis://:p@h",
    ),
    *("bob\\u0040example.com", "\\u002b14155552671", "https:\\/\\/u:p@h", "\\u0034111111111111111"),
    *("p\\u0061ssword=abc", "https:\\\\/\\\\/u:p@h", "sk\\u002dproj-abcdef0123456789"),
)


def found_in(sample: str, policy: RedactionPolicy) -> bool:
    return TextRedactor(policy).redacted(sample.encode(), Counter()) is not None


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_gate_opens_for_everything_that_a_detector_finds(sample: str) -> None:
    redactor = Redactor(RedactionPolicy())
    # Offsets to all alignments; lengths whose framing is digits and letters; neighbours likewise.
    for before, after in product(range(9), (0, 36, 40)):
        text = (b" " * before + sample.encode() + b" " * after)[: 127 + len(sample)]
        for span in (
            b"".join((*field_of(5, text), *field_of(15, b"\x12\x012"))),
            b"".join((*field_of(15, b"\x12\x01a"), *field_of(5, text))),
        ):
            payload = span
            for number in (2, 2, 1):
                payload = b"".join(field_of(number, payload))

            assert redactor.apply("traces", payload, parsed=True).counts, (before, after)


@pytest.mark.parametrize("detector", ["email", "card", "keys", "phone"])
def test_one_detector_alone_has_its_gates(detector: str) -> None:
    off = dict.fromkeys(("email", "card", "keys", "phone"), False)
    policy = RedactionPolicy(detectors=Detectors.model_validate({**off, detector: True}))
    gates = Gates(policy)

    seen = [s for s in SAMPLES if found_in(s, policy)]

    assert len(seen) > 3
    assert all(gates.candidates(sample.encode()) for sample in seen)


def test_without_detectors_and_names_there_is_nothing_to_look_for() -> None:
    off = Detectors(email=False, card=False, keys=False, phone=False)
    gates = Gates(RedactionPolicy(attributes=(), detectors=off))

    assert gates.candidates("".join(SAMPLES).encode()) == []


def test_candidates_are_in_order_and_apart() -> None:
    data = b"@a.b" * 10 + b" sk_live_0123456789 password=" + b"4111111111111111"

    found = Gates(RedactionPolicy()).candidates(data)

    assert found == sorted(found)
    assert all(end < start for (_, end), (start, _) in pairwise(found))


def test_too_many_candidates_are_one() -> None:
    data = b"@a.b " * (MANY + 5)

    found = Gates(RedactionPolicy()).candidates(data)

    assert len(found) == MANY
    assert found[-1][1] == len(data)


def test_tokens_that_are_cut_by_a_chunk_are_found() -> None:
    gates, size = Gates(RedactionPolicy()), 1 << 19

    for at in range(size - 24, size + 2):
        data = b" " * at + b"sk_live_0123456789" + b" " * 40

        assert gates.candidates(data) == [(at + 1, at + 8)], at


def test_a_message_of_beginnings_of_tokens_is_one_candidate() -> None:
    data = b"sk-" * (MANY + 5)

    assert Gates(RedactionPolicy()).candidates(data) == [(MANY * 3, len(data))]


def test_literals_of_tokens_hide_none_of_each_other() -> None:
    for one, other in product(keys.LITERALS, repeat=2):
        assert one == other or one not in other
        for size in range(1, min(len(one), len(other))):
            assert not one.endswith(other[:size]), (one, other)


@pytest.mark.parametrize(
    ("pattern", "loose"),
    [
        ("abc", "abc"),
        (r"^a\b|\Bb$", "(?:)a(?:)|(?:)b(?:)"),
        (r"\Aa\z", "(?:)a(?:)"),
        (r"\^\$\\b", r"\^\$\\b"),
        ("[$^]x", "[$^]x"),
        (r"[^]$]\b", r"[^]$](?:)"),
        (r"[]^]$", r"[]^](?:)"),
        ("[[:alpha:]$]$", "[[:alpha:]$](?:)"),
        (r"[\]$]$", r"[\]$](?:)"),
        (r"[a[:digit:]]^", r"[a[:digit:]](?:)"),
        ("a\\Qb^", None),
        ("[[:alpha", None),
    ],
)
def test_a_pattern_without_its_places_is_looser(pattern: str, loose: str | None) -> None:
    assert relaxed(pattern) == loose


def test_a_pattern_that_cannot_be_loosened_sees_every_text() -> None:
    pattern = RedactionPattern(name="a", pattern=r"^\Qx^\E")

    assert Gates(RedactionPolicy(patterns=(pattern,))).candidates(b"abc") == [(0, 3)]


@pytest.mark.parametrize("size", range(14))
def test_short_and_unaligned_data_has_no_numbers(size: int) -> None:
    gate = NumberGate(card=True, phone=True)

    assert list(gate.candidates(b"x" * size)) == []
    assert list(gate.candidates(b"1" * size)) == []


def test_a_long_row_of_digits_is_looked_at_in_linear_time() -> None:
    gate = NumberGate(card=True, phone=True)
    started = process_time()

    list(gate.candidates(b"4 " * 400_000))
    list(gate.candidates(b"4000" * 400_000))

    assert process_time() - started < 4
