import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from reflexarc.events.gpu_faults import Fault, GpuFaults
from reflexarc.runtime.telemetry_wiring import NodeLog
from reflexarc.telemetry.kernel_lines import kernel_lines
from reflexarc.telemetry.told import Batch, Told
from tests.support.otlp import NOW, Value, logs, record

XID = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus."
OTHER = "NVRM: Xid (PCI:0000:5d:00): 63, pid='<unknown>', name=<unknown>, Row Remapper"
NODE = {"host.name": "node-7"}


def found(payload: bytes) -> list[Told]:
    batch = Batch(id="b-1", signal="logs", payload=payload, received_at=NOW, source="gateway-1")
    return list(kernel_lines(batch, NodeLog, NOW))


def told(*records: LogRecord, resource: dict[str, Value] | None = None) -> list[GpuFaults]:
    given = NODE if resource is None else resource
    return [
        GpuFaults.model_validate(each.message.model_dump(by_alias=True))
        for each in found(logs(*records, resource=given))
    ]


def faults(*records: LogRecord, resource: dict[str, Value] | None = None) -> list[Fault]:
    return [fault for message in told(*records, resource=resource) for fault in message.faults]


def kmsg(line: str = XID) -> Value:
    """Return a line as Fluent Bit's kmsg input makes a map of it."""
    return {"priority": 2, "sequence": 1814, "sec": 11706, "usec": 732233, "msg": line}


@pytest.mark.parametrize(
    "body",
    [
        XID,
        kmsg(),
        {"MESSAGE": XID, "_TRANSPORT": "kernel", "PRIORITY": "2"},
        {"message": XID},
        {"log": XID},
        json.dumps({"priority": 2, "msg": XID}),
        f"<2>Nov 24 03:12:07 node-7 kernel: [11706.732233] {XID}",
        "2,1814,11706732233,-;" + XID,
    ],
)
def test_a_kernel_line_is_a_fault_whatever_carried_it(body: Value) -> None:
    (message,) = told(record(body))

    assert (message.source.node, message.source.boot_id) == ("node-7", "")
    (fault,) = message.faults
    assert XID in fault.line
    assert (fault.observed_at, fault.count) == (NOW, 1)


@pytest.mark.parametrize(
    "body",
    [
        "postgres: transaction xid 1234 wraparound",
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module",
        "Xid (PCI:0000:3b:00): without the driver's name is a quotation of somebody's",
        {"note": XID},
        7,
    ],
)
def test_what_is_no_fault_is_not_handed_on(body: Value) -> None:
    assert told(record(body)) == []


def test_a_batch_of_other_logs_or_signals_is_passed_over() -> None:
    assert found(logs(record("hello"))) == []
    batch = Batch(id="b", signal="traces", payload=b"Xid", received_at=NOW, source="g")
    assert list(kernel_lines(batch, NodeLog, NOW)) == []


@pytest.mark.parametrize(
    "printed",
    [
        record(XID, log__iostream="stdout"),
        record(XID, k8s__container__name="trainer"),
        record(XID, log__file__path="/var/log/pods/default_trainer_1/trainer/0.log"),
        record({"log": XID, "stream": "stderr"}),
        record({"log": XID, "kubernetes": {"pod_name": "trainer"}}),
    ],
)
def test_what_a_container_printed_pages_nobody(printed: LogRecord) -> None:
    assert told(printed) == []


def test_what_fluent_bit_reads_again_after_a_restart_is_old_news() -> None:
    old, late = timedelta(hours=1, seconds=1), timedelta(minutes=59)

    assert faults(record(XID, NOW - old)) == []
    assert len(faults(record(XID, NOW - late))) == 1


def test_a_line_without_a_time_happened_when_it_was_seen_or_came() -> None:
    seen = record(XID)
    seen.observed_time_unix_nano = seen.time_unix_nano - 5_000_000_000
    seen.time_unix_nano = 0
    never = record(XID)
    never.time_unix_nano = 0

    assert faults(seen)[0].observed_at == NOW - timedelta(seconds=5)
    assert faults(never)[0].observed_at == NOW


def test_repeats_fold_into_a_count_and_other_faults_stand_alone() -> None:
    again = NOW + timedelta(seconds=2)

    between = record("usb 1-1: new high-speed device")
    first, other = faults(record(XID, again), between, record(OTHER), record(XID))

    assert (first.count, first.observed_at, first.last_at) == (2, NOW, again)
    assert (other.line, other.count) == (OTHER, 1)


def test_an_event_of_three_lines_is_one_fault_with_its_address() -> None:
    lines = (
        "NVRM: The NVIDIA GPU 0000:3b:00.0",
        "NVRM: (PCI ID: 10de:2330) installed in this system has",
        "NVRM: fallen off the bus and is not responding to commands.",
    )

    (fault,) = faults(*(record(kmsg(line)) for line in lines))

    assert fault.line == "\n".join(lines)


@pytest.mark.parametrize(
    ("resource", "body", "node"),
    [
        ({"k8s.node.name": "node-1", "host.name": "fluent-bit-x2f"}, kmsg(), "node-1"),
        ({"host.name": "gateway"}, {"MESSAGE": XID, "_HOSTNAME": "node-2"}, "node-2"),
        ({}, {"msg": XID, "hostname": "node-3"}, "node-3"),
    ],
)
def test_the_node_is_who_the_line_is_of(resource: dict[str, Value], body: Value, node: str) -> None:
    (message,) = told(record(body), resource=resource)

    assert message.source.node == node


def test_a_line_may_name_its_node_in_attributes_of_its_own() -> None:
    (message,) = told(record(XID, host__name="node-4"), resource={})

    assert message.source.node == "node-4"


def test_a_line_of_no_node_is_nobodys() -> None:
    assert told(record(XID), resource={}) == []


def test_each_node_has_a_message_of_its_own_and_the_same_batch_the_same_ids() -> None:
    records = [record(XID, host__name=f"node-{number}") for number in (1, 2)]

    first, second = told(*records, resource={})

    assert {first.source.node, second.source.node} == {"node-1", "node-2"}
    assert [first.id, second.id] == [each.id for each in told(*records, resource={})]
    assert first.id != second.id


@dataclass
class Chatty:
    """A log of which every line is a fault of its own."""

    seen: list[str] = field(default_factory=list)

    def see(self, text: str) -> Sequence[tuple[str, str]]:
        self.seen.append(text)
        return [(text, str(len(self.seen)))]


def test_more_faults_than_a_message_holds_are_several_messages() -> None:
    payload = logs(*(record("Xid " + "x" * 8_000) for _ in range(20)), resource=NODE)
    batch = Batch(id="b-1", signal="logs", payload=payload, received_at=NOW, source="g")

    messages = list(kernel_lines(batch, Chatty, NOW))

    assert [each.items for each in messages] == [20, 0, 0]
    assert max(len(each.message.model_dump_json()) for each in messages) < 440 * 1024
    assert len({each.message.id for each in messages}) == 3
