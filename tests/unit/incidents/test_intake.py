from collections.abc import Sequence
from dataclasses import dataclass, field

from reflexarc.adapters.memory.queues import MemoryDeadLetters
from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.signal import Hops, Signal
from reflexarc.incidents.intake import Reader, SignalIntake
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.support.incidents import NOW, at, signal, ulid_of


@dataclass
class Recorder:
    refuses: frozenset[str] = frozenset()
    recorded: list[Signal] = field(default_factory=list)

    def record(self, signals: Sequence[Signal]) -> frozenset[str]:
        self.recorded.extend(signals)
        return self.refuses


class FullDeadLetters:
    def keep(self, delivery: Delivery, reason: str) -> None:
        raise Unavailable(f"no room for {delivery.message_id}: {reason}")


def delivery(message_id: str, body: str) -> Delivery:
    return Delivery(message_id=message_id, body=body, sender="AIDA", queued_at=at(-1))


def body(fault: Signal) -> str:
    return fault.model_dump_json(by_alias=True)


def statuses(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.message_id, outcome.status) for outcome in outcomes]


def react(
    *deliveries: Delivery,
    recorder: Recorder | None = None,
    dead_letters: MemoryDeadLetters | FullDeadLetters | None = None,
    readers: dict[str, Reader] | None = None,
) -> tuple[Outcome, ...]:
    intake = SignalIntake(
        incidents=recorder or Recorder(),
        dead_letters=dead_letters or MemoryDeadLetters(),
        clock=lambda: NOW,
        readers=readers or {},
    )
    return intake.react(deliveries)


def test_signal_is_stamped_and_recorded() -> None:
    recorder = Recorder()

    outcomes = react(delivery("m1", body(signal(1))), recorder=recorder)

    assert statuses(outcomes) == [("m1", "done")]
    assert recorder.recorded[0].hops == Hops(observed_at=NOW, queued_at=at(-1), received_at=NOW)


def test_time_of_queueing_that_a_producer_stamped_stays() -> None:
    recorder = Recorder()
    fault = signal(1, hops=Hops(observed_at=NOW, queued_at=at(-9)))

    react(delivery("m1", body(fault)), recorder=recorder)

    assert recorder.recorded[0].hops.queued_at == at(-9)


def test_poisoned_message_is_kept_with_a_reason_and_the_good_ones_go_on() -> None:
    recorder, dead_letters = Recorder(), MemoryDeadLetters()
    poisoned = delivery("m2", '{"schema": "signal/1", "id": "x", "count": 0}')

    outcomes = react(
        delivery("m1", body(signal(1))),
        poisoned,
        delivery("m3", body(signal(3))),
        recorder=recorder,
        dead_letters=dead_letters,
    )

    assert statuses(outcomes) == [("m1", "done"), ("m2", "rejected"), ("m3", "done")]
    assert {fault.id for fault in recorder.recorded} == {ulid_of(1), ulid_of(3)}
    [(kept, reason)] = dead_letters.kept
    assert kept == poisoned
    assert reason.startswith("not what this queue takes: id: String should match pattern")
    assert reason.endswith("more")
    assert outcomes[1].reason == reason


def test_body_that_is_no_json_is_refused_in_words() -> None:
    [outcome] = react(delivery("m1", '{"schema": "signal/1", "id'))

    assert outcome.status == "rejected"
    assert outcome.reason.startswith("not what this queue takes: body: Invalid JSON")


def test_other_schema_is_refused_by_name() -> None:
    [outcome] = react(delivery("m1", '{"schema": "signal/2"}'))

    assert outcome.reason == "this queue takes signal/1, not 'signal/2'"


def test_hostile_key_does_not_flood_the_reason() -> None:
    broken = body(signal(1, labels={"k" * 50_000: "v"})).replace('"v"', "1")

    [outcome] = react(delivery("m1", broken))

    assert len(outcome.reason) < 1_100


def test_canary_is_done_and_changes_nothing() -> None:
    recorder = Recorder()
    canary = delivery("m1", '{"schema": "canary/1", "sent_at": "2026-03-01T12:00:00Z"}')

    assert statuses(react(canary, recorder=recorder)) == [("m1", "done")]
    assert recorder.recorded == []


def test_signal_that_could_not_be_stored_is_asked_for_again() -> None:
    recorder = Recorder(refuses=frozenset({ulid_of(2)}))

    outcomes = react(
        delivery("m1", body(signal(1))), delivery("m2", body(signal(2))), recorder=recorder
    )

    assert statuses(outcomes) == [("m1", "done"), ("m2", "retry")]


def test_message_delivered_twice_in_one_batch_counts_once() -> None:
    recorder = Recorder(refuses=frozenset({ulid_of(1)}))

    outcomes = react(
        delivery("m1", body(signal(1))), delivery("m2", body(signal(1))), recorder=recorder
    )

    assert len(recorder.recorded) == 1
    assert statuses(outcomes) == [("m1", "retry"), ("m2", "retry")]


def test_bad_message_that_cannot_be_kept_is_asked_for_again() -> None:
    [outcome] = react(delivery("m1", "junk"), dead_letters=FullDeadLetters())

    assert outcome.status == "retry"
    assert "could not be kept" in outcome.reason


def timer(message_id: str) -> Delivery:
    return delivery(message_id, '{"schema": "timer/1"}')


def test_other_message_goes_to_its_own_reader_and_its_signals_are_recorded() -> None:
    recorder, read = Recorder(), []

    def reader(message: Delivery) -> Sequence[Signal]:
        read.append(message.message_id)
        return (signal(1), signal(2))

    outcomes = react(
        timer("m1"), delivery("m2", body(signal(3))), recorder=recorder, readers={"timer/1": reader}
    )

    assert statuses(outcomes) == [("m1", "done"), ("m2", "done")]
    assert (read, len(recorder.recorded)) == (["m1"], 3)
    assert recorder.recorded[0].hops.received_at == NOW


def test_reader_that_must_be_tried_again_holds_up_nobody_else() -> None:
    def reader(message: Delivery) -> Sequence[Signal]:
        raise Unavailable(f"the store is away: {message.message_id}")

    outcomes = react(timer("m1"), delivery("m2", body(signal(3))), readers={"timer/1": reader})

    assert statuses(outcomes) == [("m1", "retry"), ("m2", "done")]


def test_reader_that_refuses_a_message_has_it_kept() -> None:
    def reader(message: Delivery) -> Sequence[Signal]:
        raise Rejected(f"no timer: {message.message_id}")

    [outcome] = react(timer("m1"), readers={"timer/1": reader})

    assert (outcome.status, outcome.reason) == ("rejected", "no timer: m1")


def test_schema_that_nobody_reads_is_refused_with_those_that_somebody_does() -> None:
    [outcome] = react(delivery("m1", '{"schema": "signal/2"}'), readers={"timer/1": lambda _: ()})

    assert outcome.reason == "this queue takes signal/1, timer/1, not 'signal/2'"


def test_message_that_meets_an_unforeseen_error_comes_again_alone() -> None:
    def fails(message: Delivery) -> Sequence[Signal]:
        raise OverflowError(f"{message.message_id} is too much")

    recorder = Recorder()

    outcomes = react(
        delivery("m1", '{"schema": "action/1"}'),
        delivery("m2", body(signal(2))),
        recorder=recorder,
        readers={"action/1": fails},
    )

    assert statuses(outcomes) == [("m1", "retry"), ("m2", "done")]
    assert outcomes[0].reason == "OverflowError: m1 is too much"
    assert len(recorder.recorded) == 1
