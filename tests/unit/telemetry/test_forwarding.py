"""What becomes of a batch at its backends: taken, put back, refused, in parts, at once or later."""

from datetime import timedelta
from typing import Any

import pytest

from reflexarc.kernel.errors import RateLimited, Rejected, Unavailable
from reflexarc.telemetry.errors import TooLarge
from reflexarc.telemetry.packing import packed
from tests.support.otlp import NOW, gauge, metrics, span, span_ids, traces
from tests.support.telemetry import DropEvery, World, batch, delivered

SPANS = [span(number, blob="x" * 300) for number in range(1, 21)]
PAYLOAD = traces(*SPANS)
IDS = span_ids(PAYLOAD)


def backend(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "endpoint": f"https://{name}.example", **more}


def world(*backends: dict[str, Any], **more: Any) -> World:
    return World(forwarding={"backends": list(backends or (backend(),))}, **more)


def test_what_loses_nothing_goes_on_as_the_bytes_that_came() -> None:
    here = world(backend(compression="zstd"), backend("b", compression="gzip"))

    here.react(delivered(batch(PAYLOAD)))

    first, second = here.backends.posts
    assert first.body == packed(PAYLOAD, "zstd")
    assert (second.encoding, second.payload) == ("gzip", PAYLOAD)


def test_what_loses_something_goes_on_without_it() -> None:
    here = world(rules=DropEvery(2))

    here.react(delivered(batch(PAYLOAD)))

    kept = {(each.trace_id, each.span_id) for each in SPANS[1::2]}
    assert set(here.backends.spans("a")) == kept
    assert here.tally().backends()["a"]["sent"] == 10


def test_a_batch_that_is_dropped_whole_goes_nowhere() -> None:
    here = world(rules=DropEvery(1))

    here.react(delivered(batch(PAYLOAD)))

    assert here.backends.asked == []
    assert here.tally().balanced


def test_backends_get_the_signals_that_they_take() -> None:
    here = world(backend("a", signals=["traces"]), backend("b", signals=["metrics"]))

    here.react(
        delivered(batch(PAYLOAD)),
        delivered(batch(metrics(gauge("m", (1.0, {}), (2.0, {}))), "metrics")),
    )

    assert [(post.backend, post.signal) for post in here.backends.posts] == [
        ("a", "traces"), ("b", "metrics"),
    ]  # fmt: skip
    assert here.tally("metrics").backends()["b"]["sent"] == 2


def test_parts_are_what_each_backend_takes() -> None:
    here = world(backend(limits={"max_items": 8}), backend("b"))

    here.react(delivered(batch(PAYLOAD)))

    sizes = [len(span_ids(post.payload)) for post in here.backends.posts]
    assert sizes == [8, 8, 4, 20]
    assert here.tally().backends()["a"]["requests"] == 3


def test_an_item_larger_than_a_backend_takes_is_put_aside_for_it_alone() -> None:
    large = span(99, blob="x" * 5_000)
    here = world(backend(limits={"max_item_bytes": 4_000}), backend("b"))

    here.react(delivered(batch(traces(*SPANS, large))))

    assert set(here.backends.spans("a")) == IDS
    assert len(here.backends.spans("b")) == 21
    ((forward, reason),) = here.refusals.kept
    assert (forward.backend, forward.items, forward.attempt) == ("a", 1, 0)
    assert "larger than the backend takes" in reason
    assert here.tally().backends()["a"] == {"sent": 20, "refused": 1} | {
        name: here.tally().backends()["a"][name] for name in ("sent_bytes", "requests")
    }


def test_items_that_a_backend_rejects_of_what_it_took_are_counted() -> None:
    here = world()
    here.backends.answers["a"] = iter([(3, "spans are too old")])

    here.react(delivered(batch(PAYLOAD)))

    told = here.tally().backends()["a"]
    assert (told["sent"], told["rejected"]) == (17, 3)
    assert here.failing == [("a", "it rejected 3 items of a request: spans are too old")]


def test_a_backend_that_claims_to_reject_more_than_it_got_rejects_all() -> None:
    here = world()
    here.backends.answers["a"] = iter([(1_000, "")])

    here.react(delivered(batch(PAYLOAD)))

    told = here.tally().backends()["a"]
    assert (told["sent"], told["rejected"]) == (0, 20)


def test_a_backend_that_is_down_waits_alone_and_gets_everything_later() -> None:
    here = world(backend("a"), backend("b"))
    here.backends.answers["a"] = iter([Unavailable("HTTP 503")])

    (outcome,) = here.react(delivered(batch(PAYLOAD)))

    assert outcome.status == "done"
    assert set(here.backends.spans("b")) == IDS
    ((forward, delay),) = here.queue.put_back
    assert (forward.attempt, forward.said) == (1, "HTTP 503")
    assert timedelta(seconds=5) <= delay <= timedelta(seconds=10)
    assert here.tally().backends()["a"]["waiting"] == 20

    here.come_back()

    assert here.backends.spans("a") == dict.fromkeys(IDS, 1)
    told = here.tally().backends()["a"]
    assert (told["waiting"], told["sent"]) == (0, 20)


def test_retry_after_is_kept_and_may_be_longer_than_sqs_delays() -> None:
    here = world()
    asked = RateLimited("HTTP 429", timedelta(minutes=40))
    here.backends.answers["a"] = iter([asked])

    here.react(delivered(batch(PAYLOAD)))

    ((forward, delay),) = here.queue.put_back
    assert delay == timedelta(minutes=15)
    assert forward.not_before == NOW + timedelta(minutes=40)
    for _ in range(2):  # a new environment knows of the request for patience by the message alone
        here.restart()
        here.come_back()
    assert here.backends.asked == ["a"]
    here.come_back()
    assert set(here.backends.spans("a")) == IDS


def test_a_backend_that_failed_is_left_alone_for_the_rest_of_its_patience() -> None:
    here = world()
    here.backends.answers["a"] = iter([Unavailable("no answer")])

    here.react(*(delivered(batch(PAYLOAD)) for _ in range(5)))

    assert here.backends.asked == ["a"]
    assert len(here.queue.put_back) == 5
    here.wait(seconds=6)
    here.react(delivered(batch(traces(span(500)))))
    assert here.backends.asked == ["a", "a"]


def test_the_rest_grows_while_a_backend_fails_and_ends_when_it_answers() -> None:
    here = world()
    here.backends.answers["a"] = iter([Unavailable("down")] * 3)

    def asked_after(seconds: float) -> bool:
        here.wait(seconds=seconds)
        before = len(here.backends.asked)
        here.react(delivered(batch(PAYLOAD)))
        return len(here.backends.asked) > before

    assert [asked_after(seconds) for seconds in (0, 6, 6, 5, 21)] == [True, True, False, True, True]
    here.backends.answers["a"] = iter([Unavailable("down")])
    assert [asked_after(seconds) for seconds in (0, 6)] == [True, True]


def test_a_backend_that_refuses_for_ever_has_dead_letters_of_its_own() -> None:
    here = world(backend("a"), backend("b"))
    here.backends.answers["a"] = iter([Rejected("HTTP 400: no")] * 100)

    outcomes = here.react(*(delivered(batch(PAYLOAD, number=number)) for number in range(3)))

    assert [outcome.status for outcome in outcomes] == ["done"] * 3
    assert here.queue.put_back == []
    assert len(here.refusals.kept) == 3
    forward, reason = here.refusals.kept[0]
    assert reason == "HTTP 400: no"
    assert forward.pointer is not None
    assert forward.pointer.key.startswith("dead/a/")
    assert here.objects.kept[forward.pointer.key] == packed(PAYLOAD, "gzip")
    assert len(here.backends.spans("b")) == 20
    assert here.tally().backends()["a"]["refused"] == 60


def test_what_was_refused_can_be_sent_again_by_an_operator() -> None:
    here = world()
    here.backends.answers["a"] = iter([Rejected("HTTP 400")])
    here.react(delivered(batch(PAYLOAD)))
    ((letter, _),) = here.refusals.kept
    here.wait(days=3)

    (outcome, again) = here.react(*(delivered(letter, name="the-same") for _ in range(2)))

    assert (outcome.status, again.reason) == ("done", "accounted for before")
    assert here.backends.spans("a") == dict.fromkeys(IDS, 1)
    told = here.tally().backends()["a"]
    assert (told["sent"], told["refused"]) == (20, 0)


def test_what_was_refused_and_is_refused_again_is_counted_once() -> None:
    here = world()
    here.backends.answers["a"] = iter([Rejected("HTTP 400")] * 2)
    here.react(delivered(batch(PAYLOAD)))
    ((letter, _),) = here.refusals.kept

    here.react(delivered(letter))

    assert here.tally().backends()["a"]["refused"] == 20
    assert [each.pointer for each, _ in here.refusals.kept] == [letter.pointer] * 2
    assert letter.pointer is not None
    assert letter.pointer.key in here.objects.kept


def test_what_was_refused_and_must_wait_waits() -> None:
    here = world()
    here.backends.answers["a"] = iter([Rejected("HTTP 400"), Unavailable("HTTP 503")])
    here.react(delivered(batch(PAYLOAD)))
    ((letter, _),) = here.refusals.kept

    here.react(delivered(letter))

    told = here.tally().backends()["a"]
    assert (told["refused"], told["waiting"]) == (0, 20)
    here.come_back()
    told = here.tally().backends()["a"]
    assert (told["sent"], told["waiting"]) == (20, 0)


def test_what_waited_for_a_day_is_put_aside() -> None:
    here = world()
    here.backends.answers["a"] = iter([Unavailable("HTTP 503")] * 1_000)
    here.react(delivered(batch(PAYLOAD)))

    rounds = 0
    while here.queue.put_back:
        here.come_back()
        rounds += 1

    assert 24 * 4 <= rounds <= 24 * 4 + 20
    ((_, reason),) = here.refusals.kept
    assert reason == "given up after a day: HTTP 503"
    told = here.tally().backends()["a"]
    assert (told["waiting"], told["refused"]) == (0, 20)
    assert [key for key in here.objects.kept if not key.startswith("dead/")] == []


def test_what_waits_for_a_backend_that_is_gone_is_put_aside() -> None:
    here = world()
    here.backends.answers["a"] = iter([Unavailable("HTTP 503")])
    here.react(delivered(batch(PAYLOAD)))
    here.forwarding = {"backends": []}

    here.come_back()

    ((_, reason),) = here.refusals.kept
    assert reason == "the configuration names no such backend any more"
    told = here.tally().backends()["a"]
    assert (told["waiting"], told["refused"]) == (0, 20)


def test_a_part_waits_until_its_batch_is_accounted_for() -> None:
    here = world()
    here.backends.answers["a"] = iter([Unavailable("HTTP 503")])
    here.react(delivered(batch(PAYLOAD)))
    known = dict(here.ledger.ids)
    here.ledger.ids.clear()

    here.come_back()

    ((forward, delay),) = here.queue.put_back
    assert (forward.attempt, delay) == (1, timedelta(seconds=30))
    assert here.backends.asked == ["a"]
    here.ledger.ids.update(known)
    here.come_back()
    assert here.backends.spans("a") == dict.fromkeys(IDS, 1)


def test_a_part_whose_batch_was_never_accounted_for_is_put_aside_after_a_day() -> None:
    here = world()
    here.backends.answers["a"] = iter([Unavailable("HTTP 503")])
    here.react(delivered(batch(PAYLOAD)))
    here.ledger.ids.clear()
    here.wait(days=1)

    here.come_back()

    assert here.queue.put_back == []
    ((forward, reason),) = here.refusals.kept
    assert (forward.attempt, "never accounted for" in reason) == (0, True)


def test_a_part_that_does_not_wait_by_its_batchs_account_is_not_sent() -> None:
    here = world()
    here.backends.answers["a"] = iter([Unavailable("HTTP 503")])
    here.react(delivered(batch(PAYLOAD)))
    for name in here.ledger.ids:
        here.ledger.ids[name] = ()

    (outcome,) = here.come_back()

    assert (outcome.status, outcome.reason) == ("done", "accounted for before")
    assert here.backends.asked == ["a"]


def test_a_part_that_no_message_holds_waits_in_the_bucket_and_goes_when_it_was_taken() -> None:
    large = traces(*(span(number, blob=f"{number}" * 9_000) for number in range(1, 90)))
    here = world(backend(compression="none"))
    here.backends.answers["a"] = iter([Unavailable("HTTP 503")] * 2)

    here.react(delivered(batch(large)))

    ((first, _),) = here.queue.put_back
    assert first.pointer is not None
    assert first.pointer.key.startswith("forward/")
    here.come_back()
    ((second, _),) = here.queue.put_back
    assert (second.pointer, second.id) == (first.pointer, first.id)
    assert list(here.objects.kept) == [first.pointer.key]
    here.come_back()
    assert set(here.backends.spans("a")) == span_ids(large)
    assert here.objects.kept == {}


def test_a_backend_that_says_too_large_gets_halves() -> None:
    here = world()
    here.backends.answers["a"] = iter([TooLarge("HTTP 413"), TooLarge("HTTP 413"), (0, "")])

    here.react(delivered(batch(PAYLOAD)))

    assert [len(span_ids(post.payload)) for post in here.backends.posts] == [5, 5, 10]
    assert here.backends.spans("a") == dict.fromkeys(IDS, 1)
    assert here.tally().backends()["a"]["sent"] == 20


def test_one_item_that_is_too_large_is_put_aside() -> None:
    here = world()
    here.backends.answers["a"] = iter([TooLarge("HTTP 413")])

    here.react(delivered(batch(traces(span(1)))))

    ((_, reason),) = here.refusals.kept
    assert reason == "HTTP 413"


def test_halves_that_must_wait_are_parts_of_their_own() -> None:
    here = world()
    down = Unavailable("HTTP 503")
    here.backends.answers["a"] = iter([down, TooLarge("HTTP 413"), (0, ""), down])
    here.react(delivered(batch(PAYLOAD)))

    here.come_back()

    told = here.tally().backends()["a"]
    assert (told["sent"], told["waiting"]) == (10, 10)
    here.come_back()
    told = here.tally().backends()["a"]
    assert (told["sent"], told["waiting"]) == (20, 0)
    assert here.backends.spans("a") == dict.fromkeys(IDS, 1)


def test_when_no_time_is_left_everything_is_put_back() -> None:
    here = world()
    here.react(delivered(batch(PAYLOAD)))
    service = here.made()
    here.hurried = True

    sent = service.forwarder.send(_kept(), service.policy().forwarding.backends[0])

    assert (sent.waiting, sent.sent) == (20, 0)
    assert here.backends.asked == ["a"]


def _kept() -> Any:
    from reflexarc.telemetry.forwarding import Kept  # noqa: PLC0415 - one test's own

    return Kept(id="b", signal="traces", payload=PAYLOAD, items=20, source="g", received_at=NOW)


def test_two_backends_that_take_the_same_are_packed_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    def counting(plain: bytes, encoding: Any) -> bytes:
        calls.append(encoding)
        return packed(plain, encoding)

    monkeypatch.setattr("reflexarc.telemetry.forwarding.packed", counting)
    here = world(backend("a"), backend("b"), backend("c", compression="none"))

    here.react(delivered(batch(PAYLOAD)))

    assert calls == ["gzip", "identity"]
