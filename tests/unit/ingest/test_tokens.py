import os
from dataclasses import replace
from datetime import timedelta

import pytest

from reflexarc.ingest.bucket import Bucket, taken
from reflexarc.ingest.gate import ABSENT_FOR, KNOWN_FOR, REMEMBERED, IamGate, TokenGate
from reflexarc.ingest.model import Identity, Refused, Request
from reflexarc.ingest.tokens import check, digest, is_secret, issued, presented, speaks_for
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.support.incidents import NOW, at
from tests.unit.ingest.fakes import DAYS, Counted, made, message, post


def test_what_is_issued_can_be_presented_and_is_kept_nowhere() -> None:
    token, text = issued("node-7", os.urandom(40), NOW, lives=DAYS)

    token_id, secret = presented(f"Bearer {text}")

    assert token_id == token.id
    assert is_secret(text)
    assert digest(secret) == token.digest
    assert secret not in repr(token)
    check(token, secret, NOW)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    token, text = made()

    assert presented(f"{scheme} {text}")[0] == token.id


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic {}",
        "{}",
        "Bearer {},Bearer {}",
        "Bearer {} {}",
        "Bearer {}x",
        "Bearer {}\n{}",
        "Bearer rxa_{}",
        "Bearer rxa__",
        "Bearer " + "x" * 100_000,
    ],
)
def test_a_header_of_another_form_is_refused_and_not_repeated(header: str) -> None:
    _, text = made()

    with pytest.raises(Refused) as refused:
        presented(header.replace("{}", text))

    assert refused.value.status == 401
    assert text.rpartition("_")[2] not in str(refused.value)
    assert len(str(refused.value)) < 100


def test_digits_of_other_scripts_are_no_token() -> None:
    _, text = made()

    with pytest.raises(Refused):
        presented(f"Bearer {text[:-1]}\u0663")


@pytest.mark.parametrize("source", ["", "*", "**?", "a b", "gpu-[0-9]", "a/b", "n" * 254, "\u00e4"])
def test_a_source_that_names_no_nodes_or_all_is_refused(source: str) -> None:
    with pytest.raises(Rejected, match="no source"):
        made(source)


@pytest.mark.parametrize("lives", [timedelta(), timedelta(days=-1)])
def test_a_token_must_live(lives: timedelta) -> None:
    with pytest.raises(Rejected, match="must live"):
        made(lives=lives)


def test_a_token_may_send_at_least_once() -> None:
    with pytest.raises(Rejected, match="at least once"):
        made(per_minute=0)


@pytest.mark.parametrize("size", [39, 41])
def test_a_token_is_made_of_all_its_randomness(size: int) -> None:
    with pytest.raises(Rejected, match="40 random bytes"):
        issued("node-7", bytes(size), NOW, lives=DAYS)


@pytest.mark.parametrize(
    ("source", "node", "speaks"),
    [
        ("node-7", "node-7", True),
        ("node-7", "node-70", False),
        ("node-7", "Node-7", False),
        ("node-7", "node-7\n", False),
        ("gpu-*", "gpu-1", True),
        ("gpu-*", "xgpu-1", False),
        ("gpu-?", "gpu-12", False),
        ("gpu.1", "gpux1", False),
        ("*-gpu", "a-gpu-b", False),
    ],
)
def test_a_token_speaks_for_what_its_source_covers(source: str, node: str, *, speaks: bool) -> None:
    assert speaks_for(source, node) is speaks


def test_only_who_has_the_secret_learns_what_became_of_a_token() -> None:
    token = replace(made()[0], revoked_at=NOW)

    with pytest.raises(Refused, match="not known"):
        check(token, "0" * 64, NOW)
    with pytest.raises(Refused, match="revoked"):
        check(token, presented(f"Bearer {made()[1]}")[1], NOW)


def test_a_token_is_in_force_until_its_last_moment() -> None:
    token, text = made()
    secret = presented(f"Bearer {text}")[1]

    check(token, secret, NOW + DAYS - timedelta(microseconds=1))
    with pytest.raises(Refused, match="expired"):
        check(token, secret, NOW + DAYS)
    assert token.valid(NOW)
    assert not token.valid(NOW + DAYS)
    assert not replace(token, revoked_at=NOW).valid(NOW)


def test_a_minutes_worth_may_come_at_once_and_then_as_it_refills() -> None:
    bucket: Bucket | None = None
    for _ in range(60):
        bucket, wait = taken(bucket, 60, NOW)
        assert wait is None

    bucket, wait = taken(bucket, 60, NOW)

    assert wait == timedelta(seconds=1)
    bucket, wait = taken(bucket, 60, at(0.5))
    assert wait == timedelta(seconds=0.5)
    _, wait = taken(bucket, 60, at(1.0))
    assert wait is None


def test_a_bucket_never_holds_more_than_a_minutes_worth() -> None:
    bucket, _ = taken(Bucket(5.0, NOW), 10, at(86_400))

    assert bucket.level == 9


def test_a_clock_that_jumps_back_empties_no_bucket() -> None:
    bucket, wait = taken(Bucket(5.0, at(3_600)), 60, NOW)

    assert (bucket.level, wait) == (4.0, None)


def gate_of(*sources: str, per_minute: int = 600) -> tuple[TokenGate, Counted, list[str]]:
    tokens, texts = Counted(), []
    for number, source in enumerate(sources, 1):
        token, text = made(source, number, per_minute=per_minute)
        tokens.kept.add(token)
        texts.append(text)
    return TokenGate(tokens), tokens, texts


def holding(text: str) -> Request:
    return post(message(), authorization=f"Bearer {text}", user_id="")


def test_both_tokens_of_a_rotation_are_one_sender() -> None:
    gate, _, (old, new) = gate_of("node-7", "node-7")

    assert gate.admit(holding(old), NOW) == gate.admit(holding(new), NOW)
    assert gate.admit(holding(old), NOW) == Identity(sender="token:node-7", source="node-7")


def test_a_token_is_read_again_after_thirty_seconds_at_most() -> None:
    gate, tokens, (text,) = gate_of("node-7")
    for second in range(30):
        gate.admit(holding(text), at(second))
    assert len(tokens.reads) == 1
    tokens.kept.revoke(tokens.reads[0], at(1))

    with pytest.raises(Refused, match="revoked"):
        gate.admit(holding(text), NOW + KNOWN_FOR)


def test_a_token_that_is_gone_is_unknown_when_it_is_read_again() -> None:
    gate, tokens, (text,) = gate_of("node-7")
    gate.admit(holding(text), NOW)
    tokens.kept.kept.clear()

    with pytest.raises(Refused, match="not known"):
        gate.admit(holding(text), NOW + KNOWN_FOR)


def test_an_unknown_token_is_looked_for_once_in_ten_seconds() -> None:
    gate, tokens, _ = gate_of()
    token, text = made()
    for second in range(10):
        with pytest.raises(Refused, match="not known") as refused:
            gate.admit(holding(text), at(second))
        assert refused.value.status == 401
    assert len(tokens.reads) == 1
    tokens.kept.add(token)

    assert gate.admit(holding(text), NOW + ABSENT_FOR).source == "node-7"


def test_guesses_take_no_more_memory_than_is_set_aside_and_push_no_token_out() -> None:
    gate, tokens, (text,) = gate_of("node-7")
    gate.admit(holding(text), NOW)
    for number in range(10, 10 + REMEMBERED * 2):
        with pytest.raises(Refused):
            gate.admit(holding(made(number=number)[1]), NOW)
    tokens.reads.clear()

    gate.admit(holding(text), NOW)

    assert tokens.reads == []
    assert len(gate._absent) <= REMEMBERED
    assert len(gate._buckets) == 1


def test_a_store_that_does_not_answer_condemns_no_token() -> None:
    gate, tokens, (text,) = gate_of("node-7")
    tokens.down = True

    with pytest.raises(Unavailable):
        gate.admit(holding(text), NOW)

    tokens.down = False
    assert gate.admit(holding(text), NOW).source == "node-7"


def test_each_token_has_its_own_rate() -> None:
    gate, _, (one, other) = gate_of("node-7", "node-8", per_minute=2)
    gate.admit(holding(one), NOW)
    gate.admit(holding(one), NOW)

    with pytest.raises(Refused) as refused:
        gate.admit(holding(one), NOW)

    assert refused.value.status == 429
    assert refused.value.retry_after == timedelta(seconds=30)
    gate.admit(holding(other), NOW)
    gate.admit(holding(one), at(30))


def test_a_wrong_secret_uses_up_nobodys_rate() -> None:
    gate, _, (text,) = gate_of("node-7", per_minute=1)
    for _ in range(5):
        with pytest.raises(Refused, match="not known"):
            gate.admit(holding(f"{text[:-64]}{'0' * 64}"), NOW)

    assert gate.admit(holding(text), NOW).source == "node-7"


def test_iam_admits_whom_aws_verified() -> None:
    request = post(message(), authorization="Bearer anything")

    assert IamGate().admit(request, NOW) == Identity(sender="iam:AROAFLEET:i-1")


def test_iam_admits_nobody_else() -> None:
    _, text = made()

    with pytest.raises(Refused, match="not signed") as refused:
        IamGate().admit(holding(text), NOW)
    assert refused.value.status == 401
