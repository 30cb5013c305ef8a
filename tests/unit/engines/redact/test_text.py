"""What becomes of one text."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from reflexarc.engines.redact.model import Interval
from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import Detectors, RedactionPattern, RedactionPolicy
from reflexarc.engines.redact.text import TextRedactor
from reflexarc.kernel.errors import Rejected

SALT = b"0123456789abcdef"
PLAIN = Redactor(RedactionPolicy())


def said(text: str, policy: RedactionPolicy | None = None, salt: bytes = b"") -> str:
    return Redactor(policy or RedactionPolicy(), salt=salt).text(text)[0]


def with_pattern(pattern: str) -> RedactionPolicy:
    return RedactionPolicy(patterns=(RedactionPattern(name="staff", pattern=pattern),))


def test_only_what_is_found_goes_and_is_counted() -> None:
    text = "bob@example.com paid with 4111 1111 1111 1111, call +1 415 555 2671 or eve@example.com"

    redacted, counts = PLAIN.text(text)

    assert redacted == (
        "[redacted:email] paid with [redacted:card], call [redacted:phone] or [redacted:email]"
    )
    assert counts == {"email": 2, "card": 1, "phone": 1}


def test_a_text_without_anything_is_the_text_that_came() -> None:
    text = "nothing to see: 42 spans"

    redacted, counts = PLAIN.text(text)

    assert redacted is text
    assert counts == {}


def test_what_overlaps_goes_as_one() -> None:
    policy = with_pattern("bob|xx bob")

    assert said("xx bob.smith@example.com yy", policy) == "[redacted:staff] yy"


@pytest.mark.parametrize("off", ["email", "card", "keys", "phone"])
def test_a_detector_that_is_off_finds_nothing(off: str) -> None:
    parts = {
        "email": "bob@example.com",
        "card": "4111111111111111",
        "keys": "password=hunter2",
        "phone": "+14155552671",
    }
    policy = RedactionPolicy(detectors=Detectors.model_validate({off: False}))

    redacted = said(" ; ".join(parts.values()), policy)

    assert parts[off] in redacted
    assert redacted.count("redacted") == 3


def test_a_pattern_replaces_what_it_matches() -> None:
    redacted, counts = Redactor(with_pattern(r"\bEMP-\d{6}\b")).text("by EMP-123456, EMP-1234567")

    assert redacted == "by [redacted:staff], EMP-1234567"
    assert counts == {"staff": 1}


def test_a_pattern_is_about_characters() -> None:
    assert said("Ünal, Öz", with_pattern("(?i)ü.al|^.z")) == "[redacted:staff], Öz"


def test_a_pattern_that_matches_nothing_somewhere_replaces_nothing_there() -> None:
    assert said("ab", with_pattern(r"\b|x")) == "ab"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"content": "mail me at\nbob@example.com\tor +14155552671"}),
        json.dumps(
            [{"arguments": json.dumps({"to": "bob@example.com", "cc": "\neve@example.com"})}]
        ),
        json.dumps({"a": json.dumps({"b": json.dumps({"c": "\nbob@example.com\n"})})}),
        json.dumps({"key": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"}),
        json.dumps({"args": json.dumps({"password": 'hun"ter\\2', "x": 1})}),
        json.dumps({"headers": {"Authorization": "Bearer abcdef0123456789"}}),
        json.dumps({"é": "josé@example.com 😀 bob@example.com"}),
        json.dumps({"u": "https://u:p@example.com/"}).replace("/", "\\/"),
        '{"mail": "bob\\u0040example.com", "n": 1}',
        '{"tel": "\\u002B14155552671"}',
        '{"card": "\\u0034111111111111111"}',
        '{"k": "\\u0070assword\\u003dhunter2"}',
    ],
)
def test_what_is_inside_json_goes_and_the_json_stays_json(text: str) -> None:
    redacted, counts = PLAIN.text(text)

    assert "redacted" in str(json.loads(redacted))
    for secret in ("bob", "eve", "MIIE", "hunter2", "hun", "abcdef", "141555", "4111", "u:p"):
        assert secret not in redacted
    assert sum(counts.values()) >= 1


def test_what_stands_around_in_json_stays() -> None:
    text = '{"a":"x\\nbob@example.com\\ny","b":"\\u00e9\\\\"}'

    assert said(text) == '{"a":"x\\n[redacted:email]\\ny","b":"\\u00e9\\\\"}'


def test_a_backslash_outside_of_json_hides_nothing() -> None:
    assert said("ACME\\bob@example.com") == "ACME\\b[redacted:email]"
    assert said("C:\\keys\\sk-proj-abcdef0123456789") == "C:\\keys\\[redacted:key]"
    assert said("\\qbob@example.com") == "\\[redacted:email]"
    assert said("x\\ud800\\ny bob@example.com") == "x\\ud800\\ny [redacted:email]"


def test_json_in_json_beyond_what_can_be_undone_goes_whole() -> None:
    text = "bob\\u0040example.com"
    for _ in range(8):
        text = json.dumps(text)

    assert PLAIN.text(text) == ("[redacted:unreadable]", {"unreadable": 1})


def test_a_lone_surrogate_goes_whole() -> None:
    assert PLAIN.text("x\ud800y") == ("[redacted:unreadable]", {"unreadable": 1})


class Broken:
    kind = "broken"

    def find(self, text: bytes) -> Iterator[Interval]:
        if b"boom" in text:
            raise ZeroDivisionError
        yield from ()


def test_a_detector_that_fails_lets_nothing_pass() -> None:
    redactor = Redactor(RedactionPolicy(), detectors=[Broken()])

    assert redactor.text("boom and more") == ("[redacted:unreadable]", {"unreadable": 1})
    assert redactor.text("no harm")[0] == "no harm"


@pytest.mark.parametrize(
    "text",
    [
        "bob@example.com",
        "password=hunter2&api_key=abc",
        '{"password": "hunter2"}',
        "password: hunter2",
        "Authorization: Bearer abcdef0123456789",
        "Cookie: a=b; c=d",
        "https://u:p@example.com",
        "+1 415 555 2671 4111111111111111",
    ],
)
@pytest.mark.parametrize("mode", ["label", "hash"])
def test_what_is_redacted_twice_is_what_is_redacted_once(text: str, mode: str) -> None:
    redactor = Redactor(RedactionPolicy.model_validate({"mode": mode}), salt=SALT)
    once, _ = redactor.text(text)

    assert redactor.text(once) == (once, {})
    assert once != text


def test_hashes_are_equal_for_equal_values_and_under_one_salt_only() -> None:
    policy = RedactionPolicy(mode="hash")

    one, other = said("bob@example.com", policy, SALT), said("Bob@Example.com", policy, SALT)

    assert one == other
    assert one.startswith("[redacted:email:")
    assert one != said("eve@example.com", policy, SALT)
    assert one != said("bob@example.com", policy, SALT[::-1])


def test_one_card_has_one_hash_however_it_is_written() -> None:
    policy = RedactionPolicy(mode="hash")

    assert said("4111 1111 1111 1111", policy, SALT) == said("4111-1111-1111-1111", policy, SALT)


def test_a_hash_without_a_salt_that_is_long_enough_is_refused() -> None:
    with pytest.raises(Rejected, match="salt of 16 bytes"):
        Redactor(RedactionPolicy(mode="hash"), salt=b"short")


def test_the_replacement_is_the_users_choice() -> None:
    assert said("a bob@example.com", RedactionPolicy(replacement="***")) == "a ***"
    assert said("bob@example.com", RedactionPolicy(replacement="<{kind}>".strip("<>"))) == "email"


def test_a_replacement_that_looks_like_something_is_refused() -> None:
    policy = RedactionPolicy(
        replacement="{kind}-12", patterns=(RedactionPattern(name="n", pattern="-[0-9]"),)
    )

    with pytest.raises(Rejected, match="would itself be redacted"):
        Redactor(policy)


def test_a_text_that_is_no_utf8_goes_whole_and_binary_only_with_a_find() -> None:
    texts = TextRedactor(RedactionPolicy())
    counts: Counter[str] = Counter()

    assert texts.redacted(b"\xffabc", counts) == b"[redacted:unreadable]"
    assert texts.redacted(b"\xffabc", counts, binary=True) is None
    assert texts.redacted(b"\xff bob@example.com", counts, binary=True) == b"[redacted:unreadable]"
    assert texts.redacted(b"bob@example.com", counts, binary=True) == b"[redacted:email]"
    assert counts == {"unreadable": 2, "email": 1}
