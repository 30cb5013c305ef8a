import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from reflexarc.ingest.gate import TokenGate
from reflexarc.ingest.model import Identity, Reply
from reflexarc.ingest.ports import Gate
from reflexarc.ingest.service import BEGUN_WITHIN_S, IngestService
from reflexarc.kernel.batching import BATCH_BYTES
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.support.incidents import NOW, ulid_of
from tests.unit.ingest.fakes import Counted, Open, Relayed, made, message, packed, post


def service(
    relay: Relayed, gate: Gate | None = None, monotonic: Callable[[], float] = lambda: 0.0
) -> IngestService:
    return IngestService(gate=gate or Open(), relay=relay, clock=lambda: NOW, monotonic=monotonic)


def statuses(reply: Reply) -> list[str]:
    return [result.status for result in reply.results]


def test_messages_go_on_byte_for_byte_with_who_sent_them() -> None:
    relay, odd = Relayed(), message(1).replace(", ", " ,\n ")

    reply = service(relay).answer(packed(odd))

    assert (reply.status, statuses(reply)) == (200, ["accepted"])
    assert relay.sent == [("faults", odd, "iam:AROAFLEET:i-1")]


def test_results_come_in_the_order_of_the_messages_and_faults_go_first() -> None:
    relay = Relayed()
    messages = [message(1, schema="gpu_readings/1"), message(2, schema="x/1"), message(3)]

    reply = service(relay).answer(post(*messages))

    assert [(r.id, r.status) for r in reply.results] == [
        (ulid_of(1), "accepted"),
        (ulid_of(2), "rejected"),
        (ulid_of(3), "accepted"),
    ]
    assert [lane for lane, _, _ in relay.sent] == ["faults", "readings"]


def test_batches_keep_to_what_sqs_takes() -> None:
    relay = Relayed()
    large = [message(number, pad="x" * 400_000) for number in range(3)]
    wide = json.dumps(json.loads(message(4, pad="\u20ac" * 100_000)), ensure_ascii=False)

    reply = service(relay).answer(post(*large, wide, *[message(n) for n in range(10, 35)]))

    assert set(statuses(reply)) == {"accepted"}
    assert [len(batch) for batch in relay.batches] == [2, 10, 10, 7]
    assert all(
        sum(len(entry.body.encode()) for entry in batch) <= BATCH_BYTES for batch in relay.batches
    )


def test_the_same_message_twice_is_handed_on_twice() -> None:
    relay = Relayed()

    reply = service(relay).answer(post(message(1), message(1)))

    assert statuses(reply) == ["accepted", "accepted"]
    assert len(relay.sent) == 2


def test_what_a_queue_does_not_take_is_never_called_accepted() -> None:
    relay = Relayed(problems={0: Rejected("never"), 1: Unavailable("not now")})

    reply = service(relay).answer(post(*[message(n) for n in range(3)]))

    assert reply.status == 200
    assert [(r.status, r.reason) for r in reply.results] == [
        ("rejected", "never"),
        ("retry", "not now"),
        ("accepted", ""),
    ]


def test_nothing_overtakes_a_batch_that_failed_and_the_other_queue_goes_on() -> None:
    relay = Relayed(down={"faults"})
    faults = [message(n) for n in range(25)]

    reply = service(relay).answer(post(*faults, message(30, schema="gpu_readings/1")))

    assert statuses(reply) == [*["retry"] * 25, "accepted"]
    assert len(relay.batches) == 2


def test_nothing_accepted_is_no_success() -> None:
    relay = Relayed(down={"faults"})

    reply = service(relay).answer(post(message(1), message(2, schema="x/1")))

    assert reply.status == 503
    assert reply.reason == "nothing was accepted: faults is down"
    assert reply.retry_after == timedelta(seconds=5)
    assert statuses(reply) == ["retry", "rejected"]


def test_all_rejected_is_an_answer_and_no_failure() -> None:
    reply = service(Relayed()).answer(post(message(1, schema="x/1")))

    assert (reply.status, statuses(reply)) == (200, ["rejected"])


def test_what_time_does_not_suffice_for_comes_again() -> None:
    ticks = iter([0.0, 1.0, BEGUN_WITHIN_S + 0.1, *[99.0] * 10])
    relay = Relayed()

    reply = service(relay, monotonic=lambda: next(ticks)).answer(
        post(*[message(n) for n in range(30)], message(40, schema="gpu_readings/1"))
    )

    assert reply.status == 200
    assert statuses(reply) == [*["accepted"] * 10, *["retry"] * 21]
    assert "no time" in reply.results[-1].reason


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"path": "/"}, 404),
        ({"path": "/v1/gpu/x"}, 404),
        ({"path": "/v1/../v1/gpu"}, 404),
        ({"method": "GET"}, 405),
        ({"method": "post"}, 405),
        ({"body": b"{"}, 400),
        ({"encoding": "br"}, 415),
    ],
)
def test_another_request_is_refused_with_words(changes: dict[str, object], status: int) -> None:
    relay = Relayed()

    reply = service(relay).answer(post(message(), **changes))

    assert reply.status == status
    assert reply.reason
    assert relay.batches == []


def test_a_slash_at_the_end_does_no_harm() -> None:
    assert service(Relayed()).answer(post(message(), path="/v1/gpu/")).status == 200


def with_token(source: str, *messages: str, wrong: bool = False) -> tuple[Reply, Relayed]:
    relay, tokens = Relayed(), Counted()
    token, text = made(source)
    tokens.kept.add(token)
    if wrong:
        text = f"{text[:-64]}{'0' * 64}"
    request = post(*messages, authorization=f"Bearer {text}", user_id="AROAADMIN:forged")
    return service(relay, TokenGate(tokens)).answer(request), relay


def test_a_token_speaks_for_its_node_whatever_else_the_request_says() -> None:
    reply, relay = with_token("node-7", message())

    assert reply.status == 200
    assert [sender for _, _, sender in relay.sent] == ["token:node-7"]


def test_a_token_for_a_pattern_speaks_for_all_that_it_covers() -> None:
    reply, relay = with_token("gpu-*", message(1, node="gpu-1"), message(2, node="gpu-2"))

    assert reply.status == 200
    assert {sender for _, _, sender in relay.sent} == {"token:gpu-*"}


def test_one_message_for_a_foreign_node_stops_the_whole_request() -> None:
    reply, relay = with_token("node-7", message(1), message(2, node="node-8\r\n\u202e"))

    assert reply.status == 403
    assert "node-7, not for node 'node-8\\r\\n\\u202e'" in reply.reason
    assert reply.who == "token:node-7"
    assert relay.batches == []


def test_a_rejected_message_beside_good_ones_does_not_stop_them() -> None:
    reply, _ = with_token("node-7", message(1), "1")

    assert statuses(reply) == ["accepted", "rejected"]


def test_a_wrong_secret_gets_nothing_through() -> None:
    reply, relay = with_token("node-7", message(), wrong=True)

    assert (reply.status, reply.results, relay.batches) == (401, (), [])


def test_a_token_is_checked_before_the_body_is_touched() -> None:
    gate = TokenGate(Counted())

    reply = service(Relayed(), gate).answer(post(body=b"\xff" * 10))

    assert reply.status == 401


def test_a_store_of_tokens_that_does_not_answer_is_no_refusal() -> None:
    tokens = Counted(down=True)
    request = post(message(), authorization=f"Bearer {made()[1]}")

    reply = service(Relayed(), TokenGate(tokens)).answer(request)

    assert reply.status == 503
    assert reply.retry_after is not None


def test_a_spent_rate_says_when_to_come_back() -> None:
    tokens = Counted()
    token, text = made(per_minute=1)
    tokens.kept.add(token)
    busy = service(Relayed(), TokenGate(tokens))
    request = post(message(), authorization=f"Bearer {text}")
    assert busy.answer(request).status == 200

    reply = busy.answer(request)

    assert (reply.status, reply.retry_after) == (429, timedelta(seconds=60))


def test_an_identity_without_a_source_is_held_to_no_node_here() -> None:
    reply = service(Relayed(), Open(Identity(sender="iam:A"))).answer(post(message(node="any")))

    assert reply.status == 200
    assert reply.number("accepted") == 1
