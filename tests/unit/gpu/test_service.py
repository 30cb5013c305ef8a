import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Signal
from reflexarc.gpu.config import GpuPolicy, Override
from reflexarc.gpu.messages import BODY_MAX
from reflexarc.gpu.service import FaultService
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.ids import ulid

QUEUED = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
NOW = QUEUED + timedelta(milliseconds=80)
ID = ulid(QUEUED, b"0123456789")
XID = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus."
ROW = "NVRM: Xid (PCI:0000:5d:00): 63, pid='<unknown>', name=<unknown>, Row Remapper"


@dataclass
class Recorder:
    """Incidents that remember what they were told, and ask for some of it again."""

    calls: list[list[Signal]] = field(default_factory=list)
    again: frozenset[str] = frozenset()

    def record(self, signals: Sequence[Signal]) -> frozenset[str]:
        self.calls.append(list(signals))
        return self.again


@dataclass
class Letters:
    """Dead letters on a list."""

    kept: list[tuple[Delivery, str]] = field(default_factory=list)
    down: bool = False

    def keep(self, delivery: Delivery, reason: str) -> None:
        if self.down:
            raise Unavailable("the dead-letter queue did not answer")
        self.kept.append((delivery, reason))


@dataclass
class Bindings:
    """Senders by node; the first one to speak for a node holds it."""

    held: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    down: bool = False

    def speaks_for(self, node: str, sender: str, now: datetime) -> bool:
        assert now == NOW
        self.asked += 1
        if self.down:
            raise Unavailable("bindings did not answer")
        return self.held.setdefault(node, sender) == sender

    def holder(self, node: str) -> str:
        return self.held[node]


@dataclass
class World:
    incidents: Recorder = field(default_factory=Recorder)
    letters: Letters = field(default_factory=Letters)
    senders: Bindings = field(default_factory=Bindings)
    policy: GpuPolicy = field(default_factory=GpuPolicy)

    def react(self, *deliveries: Delivery) -> tuple[Outcome, ...]:
        service = FaultService(
            incidents=self.incidents,
            dead_letters=self.letters,
            senders=self.senders,
            policy=lambda: self.policy,
            clock=lambda: NOW,
        )
        return service.react(deliveries)

    @property
    def signals(self) -> list[Signal]:
        return [signal for call in self.incidents.calls for signal in call]


@pytest.fixture
def world() -> World:
    return World()


def stamp(moment: datetime) -> str:
    return moment.isoformat()


def fault(line: str = XID, **more: Any) -> dict[str, Any]:
    return {"line": line, "observed_at": stamp(QUEUED - timedelta(milliseconds=60)), **more}


def body(*faults: object, **changed: Any) -> dict[str, Any]:
    return {
        "schema": "gpu_faults/1",
        "id": ID,
        "sent_at": stamp(QUEUED - timedelta(milliseconds=20)),
        "source": {"node": "node-7", "agent": "0.1.0", "boot_id": "boot-a"},
        "seq": 3,
        "faults": list(faults or (fault(),)),
        **changed,
    }


def delivery(message: object, message_id: str = "m-1", sender: str = "role:i-1") -> Delivery:
    text = message if isinstance(message, str) else json.dumps(message)
    return Delivery(message_id=message_id, body=text, sender=sender, queued_at=QUEUED)


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


def test_a_fault_becomes_one_signal_with_all_that_is_known(world: World) -> None:
    job = {"id": "4711", "name": "llm", "owner": "ada", "namespace": "train"}
    reported = fault(count=3, gpu_uuid="GPU-1", process="train.py", job=job)

    assert world.react(delivery(body(reported))) == (Outcome(message_id="m-1", status="done"),)

    (signal,) = world.signals
    assert (signal.id, signal.kind, signal.cause) == (ID, "fire", "xid/79")
    assert (signal.severity, signal.owner, signal.count) == (Severity.CRITICAL, "oncall", 3)
    assert (signal.entity.kind, signal.entity.node) == ("gpu", "node-7")
    assert (signal.entity.device, signal.entity.uuid) == ("0000:3b:00", "GPU-1")
    assert signal.order is not None
    assert (signal.order.boot_id, signal.order.seq) == ("boot-a", 3)
    assert signal.job is not None
    assert signal.job.owner == "ada"
    assert signal.labels == {
        "node": "node-7",
        "gpu": "0000:3b:00",
        "xid": "79",
        "pid": "1234",
        "process": "train.py",
        "owner": "oncall",
    }
    assert signal.evidence == (XID,)
    assert signal.marks == ()


def test_every_hop_is_stamped_and_a_small_skew_is_none(world: World) -> None:
    world.react(delivery(body()))

    (signal,) = world.signals
    assert signal.hops.observed_at == QUEUED - timedelta(milliseconds=60)
    assert signal.hops.sent_at == QUEUED - timedelta(milliseconds=20)
    assert (signal.hops.queued_at, signal.hops.received_at) == (QUEUED, NOW)
    assert signal.clock_skew_s == 0
    assert signal.first_at == signal.last_at == signal.hops.observed_at


@pytest.mark.parametrize(
    ("off_by", "mark"),
    [
        (timedelta(hours=3, minutes=2), "node clock is 3 h 2 min ahead; times corrected"),
        (timedelta(seconds=-40), "node clock is 40 s behind; times corrected"),
        (timedelta(days=-400, hours=-1), "node clock is 400 d 1 h behind; times corrected"),
    ],
)
def test_a_wrong_clock_is_corrected_and_shown(world: World, off_by: timedelta, mark: str) -> None:
    observed = QUEUED + off_by - timedelta(seconds=30)
    reported = fault(
        observed_at=stamp(observed), last_at=stamp(observed + timedelta(seconds=10)), count=9
    )

    world.react(delivery(body(reported, sent_at=stamp(QUEUED + off_by))))

    (signal,) = world.signals
    assert signal.first_at == signal.hops.observed_at == QUEUED - timedelta(seconds=30)
    assert signal.last_at == QUEUED - timedelta(seconds=20)
    assert signal.hops.sent_at == signal.sent_at == QUEUED
    assert signal.clock_skew_s == off_by.total_seconds()
    assert mark in signal.marks


def test_a_fault_is_never_later_than_its_message(world: World) -> None:
    world.react(delivery(body(fault(observed_at=stamp(QUEUED + timedelta(days=2))))))

    assert world.signals[0].first_at == QUEUED


def test_times_at_the_end_of_the_calendar_do_no_harm(world: World) -> None:
    world.react(
        delivery(
            body(
                fault(observed_at="9999-12-31T23:59:59Z", last_at="0001-01-01T00:00:00Z"),
                sent_at="0001-01-01T00:00:00Z",
            )
        )
    )

    (signal,) = world.signals
    assert signal.first_at == signal.last_at == QUEUED


def test_all_findings_of_a_batch_go_on_in_one_call(world: World) -> None:
    second = body(fault(ROW), id=ulid(QUEUED, b"another id"))

    outcomes = world.react(
        delivery(body(fault(), fault(ROW))), delivery(second, "m-2"), delivery("{", "m-3")
    )

    assert statuses(outcomes) == ["done", "done", "rejected"]
    assert [signal.cause for signal in world.incidents.calls[0]] == ["xid/79", "xid/63", "xid/63"]
    assert len(world.incidents.calls) == 1
    assert world.senders.asked == 1


def test_nothing_to_say_is_not_said(world: World) -> None:
    world.react()
    world.react(delivery("{"))

    assert world.incidents.calls == []


def test_what_was_not_recorded_is_asked_for_again(world: World) -> None:
    world.incidents.again = frozenset({ID})
    other = body(id=ulid(QUEUED, b"another id"))

    outcomes = world.react(delivery(body()), delivery(other, "m-2"))

    assert statuses(outcomes) == ["retry", "done"]


def test_a_redelivery_has_the_same_ids(world: World) -> None:
    for _ in range(2):
        world.react(delivery(body(id="not a ulid", schema="gpu_faults/2")))
        world.react(delivery(body(id=None, schema="gpu_faults/2")))

    first, second = world.signals[:2], world.signals[2:]
    assert [signal.id for signal in first] == [signal.id for signal in second]
    assert first[0].id != first[1].id


@pytest.mark.parametrize(
    ("line", "kind", "device", "labels"),
    [
        (
            "nvidia-nvswitch1: SXid (PCI:0000:06:00.0): 20034, Fatal, Link 48 LTSSM Fault Up",
            "nvswitch",
            "0000:06:00",
            {"nvswitch": "0000:06:00", "sxid": "20034", "link": "48"},
        ),
        (
            "NVRM: Xid (PCI:00000000:3B:00.0 GPU-I:02 GPU-CI:00): 13, pid=1, name=a, x",
            "gpu",
            "0000:3b:00",
            {"gpu": "0000:3b:00", "xid": "13", "mig": "2/0", "pid": "1", "process": "a"},
        ),
        ("NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.", "gpu", "0000:3b:00", {}),
        ("NVRM: fallen off the bus and is not responding to commands.", "gpu", "unknown", {}),
        ("NVRM: Xid (PCI:0000:3b", "node", "", {}),
        ("a line that a newer agent takes for a fault", "node", "", {}),
    ],
)
def test_a_signal_is_about_the_thing_that_is_broken(
    world: World, line: str, kind: str, device: str, labels: dict[str, str]
) -> None:
    world.react(delivery(body(fault(line))))

    (signal,) = world.signals
    assert (signal.entity.kind, signal.entity.device) == (kind, device)
    assert labels.items() <= signal.labels.items()


def test_a_line_that_did_not_parse_warns_with_the_line(world: World) -> None:
    world.react(delivery(body(fault("NVRM: Xid (PCI:0000:3b"))))

    (signal,) = world.signals
    assert (signal.severity, signal.cause) == (Severity.WARNING, "kernel/unparsed")
    assert signal.title == "kernel line looks like an Xid but did not parse"
    assert signal.evidence == ("NVRM: Xid (PCI:0000:3b",)


def test_an_event_of_several_lines_shows_them_trimmed(world: World) -> None:
    lines = (
        "NVRM: The NVIDIA GPU 0000:b3:00.0",
        "NVRM: (PCI ID: 10de:26b5) installed in this system has",
        "NVRM: fallen off the bus and is not responding to commands." + " " * 9 + "x" * 600,
    )

    world.react(delivery(body(fault("\n".join(lines)))))

    (signal,) = world.signals
    assert signal.evidence == (*lines[:2], lines[2][:500])


def test_a_line_of_white_space_is_still_shown(world: World) -> None:
    world.react(delivery(body(fault(" "))))

    assert world.signals[0].evidence == (" ",)


def test_two_faults_in_one_record_are_two_signals(world: World) -> None:
    world.react(delivery(body(fault(f"{XID}\n{ROW}"))))

    assert [signal.cause for signal in world.signals] == ["xid/79", "xid/63"]


def test_a_recovery_to_none_clears(world: World) -> None:
    line = "NVRM: Xid (PCI:0000:3b:00): 154, changed from 0x1 (GPU Reset Required) to 0x0 (None)"

    world.react(delivery(body(fault(line))))

    assert world.signals[0].kind == "clear"


def test_the_fleets_policy_holds(world: World) -> None:
    world.policy = GpuPolicy(overrides=(Override(code=79, severity=Severity.INFO),))

    world.react(delivery(body()))

    assert world.signals[0].severity is Severity.INFO


def test_without_a_boot_id_there_is_no_order(world: World) -> None:
    world.react(delivery(body(source={"node": "node-7"})))

    assert world.signals[0].order is None


def test_a_canary_changes_nothing(world: World) -> None:
    canary = {"schema": "canary/1", "sent_at": stamp(QUEUED)}

    (outcome,) = world.react(delivery(canary))

    assert (outcome.status, outcome.reason) == ("done", "canary")
    assert (world.incidents.calls, world.letters.kept, world.senders.asked) == ([], [], 0)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "the body was cut off"),
        ("NVRM: Xid", "the body is not JSON ("),
        (json.dumps(body())[:-40], "the body was cut off ("),
        (json.dumps(body())[:150], "the body was cut off ("),
        ("[1]", "the body is a JSON list, not an object"),
        ('"x"', "the body is a JSON str, not an object"),
        ("[" * 100_000, "the body is not JSON that can be read (RecursionError)"),
        ("9" * 5_000, "the body is not JSON that can be read (ValueError)"),
        ({}, 'the message names no schema; this queue takes "gpu_faults/1"'),
        ({"schema": 7}, "the message names no schema"),
        ({"schema": "gpu_readings/1"}, 'unknown schema "gpu_readings/1"; this queue takes'),
        (body(faults=[]), "the message holds no list of faults"),
        (body(faults="x"), "the message holds no list of faults"),
        (body({"line": 5}), "fault 1 of 1: line: Input should be a valid string"),
        (body(*([{}] * 5)), "; and 2 more"),
        (body(source={}, schema="gpu_faults/2"), "it names no node"),
        (body(source=None, node=""), "it names no node"),
        (body({"line": "nothing"}, schema="gpu_faults/2"), "nothing in it reads as a fault"),
        ({"schema": "gpu_faults/"}, "sent in version (none) of the message"),
    ],
)
def test_what_cannot_be_read_is_kept_with_a_reason(
    world: World, message: object, reason: str
) -> None:
    (outcome,) = world.react(delivery(message))

    assert outcome.status == "rejected"
    assert reason in outcome.reason
    ((kept, why),) = world.letters.kept
    assert (kept, why) == (delivery(message), outcome.reason)
    assert world.incidents.calls == []


def test_a_body_beyond_the_limit_is_kept(world: World) -> None:
    (outcome,) = world.react(delivery(json.dumps(body()) + " " * BODY_MAX))

    assert outcome.status == "rejected"
    assert "the body has 459," in outcome.reason
    assert "at most 458,752" in outcome.reason


def test_a_poisoned_fault_does_not_hold_up_the_good_ones(world: World) -> None:
    poison = {"line": None, "count": -1}

    (outcome,) = world.react(delivery(body(fault(), poison, fault(ROW))))

    assert outcome.status == "done"
    assert [signal.cause for signal in world.signals] == ["xid/79", "xid/63"]
    ((kept, reason),) = world.letters.kept
    assert json.loads(kept.body) == body(poison)
    assert reason == outcome.reason
    assert reason.startswith("fault 2 of 3: line: Input should be a valid string; ")
    assert "observed_at: Field required" in reason


def test_a_poisoned_fault_that_holds_a_kernel_line_still_pages(world: World) -> None:
    poison = fault(count=0, observed_at="yesterday")

    (outcome,) = world.react(delivery(body(poison, fault(ROW))))

    assert outcome.status == "done"
    assert [signal.cause for signal in world.signals] == ["xid/79", "xid/63"]
    assert world.signals[0].marks[-1] == "the record is damaged, read as far as possible"
    assert world.signals[0].first_at == QUEUED - timedelta(milliseconds=20)
    assert len(world.letters.kept) == 1


@pytest.mark.parametrize(
    "changed", [{"seq": None}, {"id": "x"}, {"sent_at": "noon"}, {"sent_at": None}]
)
def test_a_damaged_header_does_not_swallow_a_fault(
    world: World, changed: dict[str, object]
) -> None:
    (outcome,) = world.react(delivery(body(**changed)))

    assert outcome.status == "done"
    assert outcome.reason.startswith("damaged message: ")
    (signal,) = world.signals
    assert (signal.cause, signal.source.node) == ("xid/79", "node-7")
    assert any(mark.startswith("the message is damaged (") for mark in signal.marks)
    assert world.letters.kept == [(delivery(body(**changed)), outcome.reason)]


def test_another_version_of_the_message_still_pages_marked(world: World) -> None:
    newer = {
        "schema": "gpu_faults/2",
        "id": ID,
        "sent": stamp(QUEUED),
        "source": {"host": "node-9", "boot_id": "b", "agent": "9.0"},
        "seq": 4,
        "events": [
            {
                "raw": XID,
                "copy": XID,
                "seen": stamp(QUEUED - timedelta(seconds=9)),
                "seen_last": stamp(QUEUED - timedelta(seconds=3)),
                "naive": "2026-03-01T12:00:00",
                "count": 7,
                "uuid": "GPU-2",
                "process": "vllm",
                "job": {"id": "12"},
                "more": {"lines": [ROW, "nothing", 5, None]},
            }
        ],
    }

    (outcome,) = world.react(delivery(newer))

    assert outcome == Outcome(message_id="m-1", status="done")
    first, second = world.signals
    assert (first.cause, first.count, first.entity.uuid) == ("xid/79", 7, "GPU-2")
    assert first.entity.node == "node-9"
    assert first.first_at == QUEUED - timedelta(seconds=9)
    assert first.last_at == QUEUED - timedelta(seconds=3)
    assert first.labels["process"] == "vllm"
    assert first.job is not None
    assert first.job.id == "12"
    assert first.order is not None
    assert first.order.seq == 4
    mark = "sent in version 2 of the message, read as far as possible"
    assert first.marks == second.marks == (mark,)
    assert (second.cause, second.first_at) == ("xid/63", QUEUED)
    assert world.letters.kept == []


@pytest.mark.parametrize(
    "odd",
    [
        {"seq": -1, "job": 7, "count": True, "process": ""},
        {"seq": "4", "count": 2**60, "line": f"{XID}\ud800"},
        {"sent_at": None, "source": "node-7", "node": "node-7"},
    ],
)
def test_odd_values_in_another_version_count_as_absent(
    world: World, odd: dict[str, object]
) -> None:
    message = body({**fault(), **odd}, schema="gpu_faults/0", **odd)

    assert statuses(world.react(delivery(message))) == ["done"]
    assert (world.signals[0].count, world.signals[0].entity.node) == (1, "node-7")
    assert world.signals[0].model_dump_json()


def test_a_hostile_document_is_read_only_so_far(world: World) -> None:
    many = body(*[{"line": "NVRM: Xid (PCI:0000:3b:00): 1"}] * 5_001, schema="gpu_faults/9")

    world.react(delivery(many))

    assert len(world.signals) == 5_000


def test_a_message_that_claims_anothers_node_is_refused(world: World) -> None:
    world.senders.held["node-7"] = "role:i-1"

    (outcome,) = world.react(delivery(body(), sender="role:i-666"))

    assert outcome.status == "rejected"
    assert outcome.reason == (
        "sender role:i-666 claims node node-7, which another sender speaks for; nothing of this "
        "message was used"
    )
    assert world.letters.kept == [(delivery(body(), sender="role:i-666"), outcome.reason)]
    assert world.signals == []


POD = "role:eks-fleet-agent-x2f-6f1d2c3b-0d3a-4f0e-9a55-2f1d3c1e8b10"


@pytest.mark.parametrize(
    ("holder", "sender"),
    [
        ("role:botocore-session-1763950000", "role:botocore-session-1763950999"),
        (POD, "role:eks-fleet-agent-k9q-11111111-0d3a-4f0e-9a55-2f1d3c1e8b10"),
    ],
)
def test_an_agent_that_restarted_under_another_session_is_heard_and_marked(
    world: World, holder: str, sender: str
) -> None:
    world.senders.held["node-7"] = holder

    (outcome,) = world.react(delivery(body(), sender=sender))

    assert outcome.status == "done"
    (signal,) = world.signals
    assert "another session" in signal.marks[-1]


@pytest.mark.parametrize("sender", ["other:botocore-session-2", "role:i-0a1b2c3d", "role", "role:"])
def test_only_the_same_role_with_a_session_of_no_machine_is_heard(
    world: World, sender: str
) -> None:
    world.senders.held["node-7"] = "role:botocore-session-1"

    (outcome,) = world.react(delivery(body(), sender=sender))

    assert outcome.status == "rejected"


def test_a_clear_of_another_session_is_kept_aside_while_its_fault_pages(world: World) -> None:
    world.senders.held["node-7"] = "role:botocore-session-1"
    healthy = "NVRM: Xid (PCI:0000:3b:00): 154, GPU recovery action changed from 0x1 to 0x0 (None)"
    both = body(fault(), fault(healthy))

    (outcome,) = world.react(delivery(both, sender="role:botocore-session-2"))

    assert [signal.kind for signal in world.signals] == ["fire"]
    assert outcome.reason.startswith("a clear needs the node's own sender")
    assert len(world.letters.kept) == 1


def test_a_sender_without_a_name_is_named_so(world: World) -> None:
    world.senders.held["node-7"] = "role:i-1"

    (outcome,) = world.react(delivery(body(), sender=""))

    assert outcome.reason.startswith("sender (none) claims")


def test_bindings_that_do_not_answer_are_asked_again_later(world: World) -> None:
    world.senders.down = True

    (outcome,) = world.react(delivery(body()))

    assert outcome == Outcome(message_id="m-1", status="retry", reason="bindings did not answer")
    assert world.signals == []


def test_nothing_is_dropped_while_dead_letters_are_down(world: World) -> None:
    world.letters.down = True

    outcomes = world.react(delivery("{"), delivery(body(fault(), {}), "m-2"))

    assert statuses(outcomes) == ["retry", "retry"]
    assert [signal.cause for signal in world.signals] == ["xid/79"]


def test_what_is_retried_is_not_kept_yet(world: World) -> None:
    world.incidents.again = frozenset({ID})

    world.react(delivery(body(fault(), {})))

    assert world.letters.kept == []


def seen(message: object, sender: str = "token:collectors-*") -> Delivery:
    """Return a message that telemetry_rules sent of a node."""
    return replace(delivery(message, sender=sender), witness=True)


@pytest.mark.parametrize("holder", ["", "role:i-1"])
def test_a_fault_seen_in_telemetry_is_heard_and_binds_nobody(world: World, holder: str) -> None:
    if holder:
        world.senders.held["node-7"] = holder
    before = dict(world.senders.held)

    (outcome,) = world.react(seen(body()))

    assert (outcome.status, outcome.reason) == ("done", "")
    (signal,) = world.signals
    assert signal.marks[-1] == "seen in telemetry, which speaks for no node"
    assert world.senders.held == before


def test_what_telemetry_and_the_agent_see_is_one_thing(world: World) -> None:
    world.react(delivery(body()), seen(body(id=ulid(QUEUED, b"9876543210"))))

    (entity, also) = [signal.entity for signal in world.signals]
    assert entity == also


def test_no_clear_comes_from_telemetry(world: World) -> None:
    healthy = "NVRM: Xid (PCI:0000:3b:00): 154, GPU recovery action changed from 0x1 to 0x0 (None)"

    (outcome,) = world.react(seen(body(fault(healthy))))

    assert outcome.status == "done"
    assert world.signals == []
    assert world.letters.kept == []
