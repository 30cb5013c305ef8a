"""Delayed messages and dead letters: what memory and SQS both promise, and the limits of SQS."""

import json
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError

from reflexarc.adapters.memory.queues import (
    MemoryDeadLetters,
    MemoryReWakes,
    MemoryTimers,
    MemoryUndeliverable,
)
from reflexarc.adapters.sqs.dead_letters import SqsDeadLetters
from reflexarc.adapters.sqs.re_wakes import SqsReWakes
from reflexarc.adapters.sqs.timers import SqsTimers
from reflexarc.adapters.sqs.undeliverable import SqsUndeliverable
from reflexarc.events.action import Timer
from reflexarc.events.delivery import Delivery
from reflexarc.events.notice import Notice
from reflexarc.events.rejected import ORIGINAL_MAX, RejectedMessage
from reflexarc.incidents.ports import DeadLetters, Timers
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.model import Task
from reflexarc.notify.ports import ReWakes, Undeliverable
from tests.support.aws import Faults, drain, queue
from tests.support.notices import NOW, at, notice, page, receipt

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SLACK = "slack/C0PAGES"
_numbers = count(1)
Sent = Callable[[], list[str]]


@pytest.fixture
def dlq(sqs_client: "SQSClient") -> str:
    return queue(sqs_client, f"signals-dlq-{next(_numbers)}")


@pytest.fixture
def letters(sqs_client: "SQSClient", dlq: str) -> SqsDeadLetters:
    return SqsDeadLetters(sqs_client, dlq, lambda: NOW)


def reasons(client: "SQSClient", url: str) -> list[str]:
    return [message["MessageAttributes"]["reason"]["StringValue"] for message in drain(client, url)]


def delivery(body: str) -> Delivery:
    return Delivery(message_id="m1", body=body, sender="AIDA", queued_at=NOW)


def task(text: str = "a page") -> Task:
    return Task(part="root", action="trigger", body={"text": text}, becomes=receipt())


@pytest.fixture(params=["memory", "sqs"])
def kept(request: pytest.FixtureRequest) -> tuple[DeadLetters, Undeliverable, Sent]:
    if request.param == "memory":
        dead, undeliverable = MemoryDeadLetters(), MemoryUndeliverable()
        return (
            dead,
            undeliverable,
            lambda: [
                *(reason for _, reason in dead.kept),
                *(reason for _, _, reason in undeliverable.kept),
            ],
        )
    client: SQSClient = request.getfixturevalue("sqs_client")
    url: str = request.getfixturevalue("dlq")
    letters: SqsDeadLetters = request.getfixturevalue("letters")
    return letters, SqsUndeliverable(letters), lambda: reasons(client, url)


def test_refused_message_is_kept_with_its_reason(
    kept: tuple[DeadLetters, Undeliverable, Sent],
) -> None:
    dead_letters, _, reasons_kept = kept

    dead_letters.keep(delivery("junk"), "not JSON")

    assert reasons_kept() == ["not JSON"]


def test_undeliverable_notice_is_kept_with_the_vendors_answer(
    kept: tuple[DeadLetters, Undeliverable, Sent],
) -> None:
    _, undeliverable, reasons_kept = kept

    undeliverable.keep(notice(), task(), "invalid_blocks")

    [reason] = reasons_kept()
    assert reason.endswith("invalid_blocks")


@pytest.fixture(params=["memory", "sqs"])
def re_wakes(request: pytest.FixtureRequest) -> tuple[ReWakes, Sent]:
    if request.param == "memory":
        memory = MemoryReWakes()
        return memory, lambda: [group for group, _ in memory.planned]
    client: SQSClient = request.getfixturevalue("sqs_client")
    url = queue(client, f"later-{next(_numbers)}")
    return SqsReWakes(client, url), lambda: [
        json.loads(message["Body"])["group"] for message in drain(client, url)
    ]


def test_re_wake_carries_its_group(re_wakes: tuple[ReWakes, Sent]) -> None:
    adapter, sent = re_wakes

    adapter.later(SLACK, at(0), NOW)

    assert sent() == [SLACK]


@pytest.mark.parametrize(
    ("seconds", "delay"), [(-5, 0), (0, 0), (0.2, 1), (1, 1), (30.5, 31), (900, 900), (9_999, 900)]
)
def test_delay_is_never_early_and_within_what_sqs_takes(
    sqs_client: "SQSClient", seconds: float, delay: int
) -> None:
    url = queue(sqs_client, f"later-{next(_numbers)}")
    delays: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        delays.append(params["DelaySeconds"])

    sqs_client.meta.events.register("provide-client-params.sqs.SendMessage", note)

    SqsReWakes(sqs_client, url).later(SLACK, at(seconds), NOW)

    assert delays == [delay]


@pytest.fixture(params=["memory", "sqs"])
def timers(request: pytest.FixtureRequest) -> tuple[Timers, Callable[[], list[Timer]]]:
    if request.param == "memory":
        memory = MemoryTimers()
        return memory, lambda: memory.planned
    client: SQSClient = request.getfixturevalue("sqs_client")
    url = queue(client, f"signals-{next(_numbers)}")
    # moto counts a delay down in real seconds: a test does not wait for it.
    client.meta.events.register("provide-client-params.sqs.SendMessage", at_once)
    return SqsTimers(client, url), lambda: [
        Timer.model_validate_json(message["Body"]) for message in drain(client, url)
    ]


def at_once(params: dict[str, Any], **_: Any) -> None:
    params["DelaySeconds"] = 0


def timer(seconds: float) -> Timer:
    return Timer(page=page().ref, timer=3, due_at=at(seconds))


@pytest.mark.parametrize("seconds", [-5, 0, 0.2, 899.5, 900])
def test_step_within_15_minutes_is_planned_by_a_message(
    timers: tuple[Timers, Callable[[], list[Timer]]], seconds: float
) -> None:
    adapter, sent = timers

    adapter.plan(timer(seconds), NOW)

    assert sent() == [timer(seconds)]


@pytest.mark.parametrize("seconds", [900.5, 90_000])
def test_later_step_is_left_to_the_watchdog(
    timers: tuple[Timers, Callable[[], list[Timer]]], seconds: float
) -> None:
    adapter, sent = timers

    adapter.plan(timer(seconds), NOW)

    assert sent() == []


@pytest.mark.parametrize(("seconds", "delay"), [(-5, 0), (0.2, 1), (30.5, 31), (900, 900)])
def test_timer_is_never_early(sqs_client: "SQSClient", seconds: float, delay: int) -> None:
    url = queue(sqs_client, f"signals-{next(_numbers)}")
    delays: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        delays.append(params["DelaySeconds"])

    sqs_client.meta.events.register("provide-client-params.sqs.SendMessage", note)

    SqsTimers(sqs_client, url).plan(timer(seconds), NOW)

    assert delays == [delay]


def test_dead_letter_is_a_rejected_message(
    sqs_client: "SQSClient", dlq: str, letters: SqsDeadLetters
) -> None:
    letters.keep(delivery('{"schema": "signal/2"}'), "unknown version")

    [message] = drain(sqs_client, dlq)
    rejected = RejectedMessage.model_validate_json(message["Body"])
    assert rejected.original == '{"schema": "signal/2"}'
    assert (rejected.message_id, rejected.reason) == ("m1", "unknown version")
    assert (rejected.rejected_at, rejected.truncated) == (NOW, False)
    assert rejected.queue.startswith("signals-dlq-")


@pytest.mark.parametrize("unit", ["x", "é", "\U0001f525", '"', "\n"])
def test_oversized_original_is_cut_on_a_character(
    sqs_client: "SQSClient", dlq: str, letters: SqsDeadLetters, unit: str
) -> None:
    letters.keep(delivery(unit * ORIGINAL_MAX * 2), "too large")

    [message] = drain(sqs_client, dlq)
    rejected = RejectedMessage.model_validate_json(message["Body"])
    assert rejected.truncated
    assert ORIGINAL_MAX - 4 < len(rejected.original.encode()) <= ORIGINAL_MAX
    assert set(rejected.original) == {unit}


def test_nothing_that_sqs_refuses_reaches_it(
    sqs_client: "SQSClient", dlq: str, letters: SqsDeadLetters
) -> None:
    letters.keep(delivery("\x00\ufffe\ud800"), "a\x00b\uffff\ud800")

    [message] = drain(sqs_client, dlq)
    reason = message["MessageAttributes"]["reason"]["StringValue"]
    assert reason == "a\ufffdb\ufffd?"
    assert "\ufffe" not in message["Body"]


def test_reason_is_never_empty_and_never_huge(
    sqs_client: "SQSClient", dlq: str, letters: SqsDeadLetters
) -> None:
    letters.keep(delivery("x"), "")
    letters.keep(delivery("x"), "y" * 99_999)

    assert reasons(sqs_client, dlq) == ["no reason was given", "y" * 1_000]


def test_undeliverable_notice_is_kept_whole(
    sqs_client: "SQSClient", dlq: str, letters: SqsDeadLetters
) -> None:
    SqsUndeliverable(letters).keep(notice(), task("hostile \ufffe text"), "invalid_blocks")

    [message] = drain(sqs_client, dlq)
    rejected = RejectedMessage.model_validate_json(message["Body"])
    assert rejected.reason == "slack, trigger of root: invalid_blocks"
    original = json.loads(rejected.original)
    refused = original.pop("refused")
    assert Notice.model_validate(original) == notice()
    assert refused["body"] == {"text": "hostile \ufffe text"}


def test_queue_that_does_not_answer_is_unavailable(
    sqs_client: "SQSClient", dlq: str, letters: SqsDeadLetters
) -> None:
    faults = Faults(planned=[EndpointConnectionError(endpoint_url=dlq)] * 4)
    faults.attach(sqs_client)

    with pytest.raises(Unavailable):
        letters.keep(delivery("x"), "reason")
    with pytest.raises(Unavailable):
        SqsUndeliverable(letters).keep(notice(), task(), "reason")
    with pytest.raises(Unavailable):
        SqsReWakes(sqs_client, dlq).later(SLACK, at(1), NOW)
    with pytest.raises(Unavailable):
        SqsTimers(sqs_client, dlq).plan(timer(1), NOW)


def test_queue_that_refuses_is_unavailable(
    sqs_client: "SQSClient", letters: SqsDeadLetters
) -> None:
    faults = Faults()
    faults.refuse("AccessDenied")
    faults.attach(sqs_client)

    with pytest.raises(Unavailable, match="AccessDenied"):
        letters.keep(delivery("x"), "reason")
