"""Bad days of a node: each has a defined end and a message that says what to do."""

import resource
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import ClientError

from reflexarc.adapters.sqs.agent_queue import AgentQueue
from reflexarc.agent.aggregate import Aggregator, Standing
from reflexarc.agent.lines import Chunk, Line
from reflexarc.agent.packing import BODY_MAX, pack_readings, readings_body
from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import Finding, GpuFaults, Job
from reflexarc.events.gpu_readings import GpuReadings, Heartbeat, SensorReport, Vitals
from reflexarc.gpu.watch.model import GpuSample, NodeSample, PortSample
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.ids import ulid
from tests.agent.fakes import NOW, XID_79, XID_95, Bench, xid

MIB = 1 << 20


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.spool.close()


def sent(bench: Bench) -> list[GpuFaults]:
    return [GpuFaults.model_validate_json(body) for _, body in bench.queues["faults"].sent]


def heartbeats(bench: Bench) -> list[GpuReadings]:
    return [GpuReadings.model_validate_json(body) for _, body in bench.queues["readings"].sent]


def live(bench: Bench, seconds: int, *lines: str) -> None:
    """Let a second after the other pass as the agent's threads would, with these lines in each."""
    for _ in range(seconds):
        bench.feed(*lines)
        bench.intake.tick()
        for courier in (bench.faults, bench.readings):
            if bench.time.seconds >= courier._not_before and courier.may_send():
                courier.deliver()
        bench.time.pass_by(1)


def test_queue_that_throttles_for_an_hour_loses_nothing_and_floods_no_log(bench: Bench) -> None:
    throttled = Unavailable("SQS throttles: nothing to do, sending slows down")
    bench.queues["faults"].down = bench.queues["readings"].down = throttled
    tracemalloc.start()
    for minute in range(60):
        live(bench, 60, XID_95, xid(minute))
        bench.intake.heartbeat()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    asked = len(bench.queues["faults"].requests)
    bench.queues["faults"].down = bench.queues["readings"].down = None
    live(bench, 120)
    bench.intake.finish()
    bench.deliver_all()

    counts: dict[str, int] = {}
    for message in sent(bench):
        for fault in message.faults:
            counts[fault.line] = counts.get(fault.line, 0) + fault.count
    assert counts == {XID_95: 3600} | {xid(minute): 60 for minute in range(60)}
    assert [each.seq for each in heartbeats(bench)] == list(range(1, 61))
    assert asked < 300  # a try each half minute at most, not one a second
    assert len(bench.written) < 150
    assert grown < 8 * MIB


def test_readings_that_an_outage_sheds_are_counted_and_their_numbers_are_missing(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, max_bytes=128 * 1024)
    bench.queues["readings"].down = Unavailable("no route")
    for _ in range(400):
        bench.intake.heartbeat()
    bench.queues["readings"].down = None
    bench.deliver_all()
    bench.intake.heartbeat()
    bench.deliver_all()

    numbers = {each.seq for each in heartbeats(bench)}
    lost = set(range(1, 402)) - numbers
    assert lost
    assert heartbeats(bench)[-1].heartbeat.counters.readings_shed == len(lost)
    bench.spool.close()


def test_million_kernel_lines_in_a_minute_stay_small_and_exact(bench: Bench) -> None:
    line = Line(text=XID_95, at=NOW)
    chunk = Chunk(source="kmsg", lines=(line,) * 10_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        bench.intake.accept(chunk)
        bench.time.pass_by(0.6)
        bench.intake.tick()
    bench.intake.finish()
    bench.deliver_all()

    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(fault.count for message in sent(bench) for fault in message.faults) == 1_000_000
    assert sum(len(body) for _, body in bench.queues["faults"].sent) < 64 * 1024
    assert after - before < 50 * 1024  # KiB


@dataclass
class ExpiringClient:
    """SQS whose session token has run out; the next call is signed anew."""

    refusals: int = 1
    bodies: list[str] = field(default_factory=list)

    def send_message_batch(self, *, QueueUrl: str, Entries: Any) -> dict[str, Any]:  # noqa: N803 - boto's
        del QueueUrl
        self._maybe_refuse("SendMessageBatch")
        self.bodies += [each["MessageBody"] for each in Entries]
        return {"Failed": []}

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803 - boto's
        del QueueUrl
        self._maybe_refuse("SendMessage")
        self.bodies.append(MessageBody)

    def _maybe_refuse(self, operation: str) -> None:
        if self.refusals:
            self.refusals -= 1
            error: Any = {"Error": {"Code": "ExpiredToken", "Message": "token expired"}}
            raise ClientError(error, operation)


def test_credentials_that_expire_in_mid_batch_cost_a_retry_and_no_message(bench: Bench) -> None:
    client: Any = ExpiringClient()
    bench.faults.queue = AgentQueue(client, "https://sqs.eu-west-1.amazonaws.com/1/q")
    for number in range(3):
        bench.feed(xid(number))
    bench.faults.deliver()
    bench.time.pass_by(1)
    bench.faults.deliver()

    told = [GpuFaults.model_validate_json(body).seq for body in client.bodies]
    assert told == [1, 2, 3]
    assert "they expired or were revoked; renew them" in bench.written[0]


def test_botocore_renews_credentials_before_they_expire() -> None:
    # The agent leans on this: it keeps no credentials of its own.
    assert issubclass(RefreshableCredentials, Credentials)
    assert RefreshableCredentials._mandatory_refresh_timeout >= 300  # type: ignore[attr-defined]


@pytest.mark.parametrize("jump", [timedelta(hours=-5), timedelta(days=-20_000), timedelta(days=9)])
def test_clock_that_jumps_loses_nothing_and_ends_no_window_early(
    bench: Bench, jump: timedelta
) -> None:
    bench.feed(*[XID_95] * 10)
    right = bench.intake.clock
    bench.intake.clock = lambda: right() + jump
    bench.intake.tick()
    early = len(sent(bench))
    live(bench, 6)
    bench.intake.heartbeat()
    bench.deliver_all()

    assert early == 0
    assert [fault.count for message in sent(bench) for fault in message.faults] == [1, 9]
    assert [each.seq for each in heartbeats(bench)] == [1]


def test_ids_of_a_node_whose_clock_is_before_1970_are_still_ids() -> None:
    assert len(ulid(NOW.replace(year=1971), b"0" * 10)) == 26


def test_spool_folder_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bench = Bench(tmp_path / "file")
    bench.intake.accept(Chunk(source="kmsg", lines=(Line(text=XID_79, at=NOW),)))
    bench.deliver_all()

    assert len(sent(bench)) == 1
    assert "Not a directory" in bench.spool.report().trouble
    bench.spool.close()


def test_more_findings_than_a_message_holds_are_cut_into_messages(bench: Bench) -> None:
    from reflexarc.agent.noticed import Noticed  # noqa: PLC0415 - only here

    finding = Finding(
        rule="thermal/limit", device="0000:3b:00", severity="critical", says="x" * 490,
        observed_at=NOW,
    )  # fmt: skip
    bench.intake.accept(Noticed(findings=(finding,) * 2000))
    bench.deliver_all()

    bodies = [body for _, body in bench.queues["faults"].sent]
    assert len(bodies) > 2
    assert max(map(len, bodies)) <= BODY_MAX
    assert sum(len(message.findings) for message in sent(bench)) == 2000


def window_of(gpus: int, ports: int = 0) -> Any:
    """Return the fullest window that so many GPUs and ports can give."""
    aggregator = Aggregator(started_at=NOW, seconds=0.0)
    numbers: dict[str, Any] = {
        name: 123.456 for name in GpuSample.__dataclass_fields__ if name.endswith(("_c", "_w"))
    }
    samples = tuple(
        GpuSample(
            device=f"0000:{number:02x}:00",
            uuid=f"GPU-{number:036d}",
            index=number,
            name="NVIDIA H100 80GB HBM3",
            reasons=0xFF,
            utilization=1.5,
            sm_clock_mhz=1980.0,
            memory_clock_mhz=2619.0,
            memory_used_mib=81000.0,
            memory_total_mib=81559.0,
            ecc_corrected_volatile=10**9,
            ecc_uncorrected_volatile=10**9,
            nvlink_errors=10**9,
            pcie_replays=10**9,
            mig=False,
            **numbers,
        )
        for number in range(gpus)
    )
    job = Job(id="1234567", name="n" * 64, owner="o" * 32, nodes="n[1-1000]", scheduler="slurm")
    standing = {each.device: Standing(health="ok", job=job) for each in samples}
    port = tuple(
        PortSample(
            name=f"mlx5_{number}/1",
            state="ACTIVE",
            counters={f"counter_{each}": 10**12 for each in range(20)},
        )
        for number in range(ports)
    )
    for second in range(2):
        sample = NodeSample(at=NOW, seconds=float(second), gpus=samples, ports=port)
        busy = [each.device for each in samples]
        aggregator.look(sample, standing=standing, busy=busy, vitals=Vitals(load1=1.0))
    return aggregator.swap(60.0)


SENSORS = tuple(SensorReport(name=f"s{each}", status="ok", says="x" * 300) for each in range(6))
SOURCE = Source(node="node-7", boot_id="b" * 36)


def mint() -> tuple[str, int]:
    return ulid(NOW, b"0" * 10), 1


@pytest.mark.parametrize("gpus", [8, 16])
def test_readings_of_a_whole_node_are_below_64_kib(gpus: int) -> None:
    packed = pack_readings(
        Heartbeat(started_at=NOW), SOURCE, mint, window_of(gpus, ports=gpus), SENSORS
    )

    read = GpuReadings.model_validate_json(packed.stamped(NOW))
    assert (len(read.gpus), len(read.hours), len(read.ports)) == (gpus, gpus, gpus)
    assert len(packed.text) < 64 * 1024


def test_readings_that_are_too_large_lose_what_matters_least_first() -> None:
    window = window_of(16, ports=16)
    heartbeat = Heartbeat(started_at=NOW)
    whole = len(readings_body(heartbeat, window, SENSORS, 10**9))

    left: list[tuple[str, ...]] = []
    for room in range(whole, 1_000, -500):
        body = readings_body(heartbeat, window, SENSORS, room)
        assert len(body) <= room
        names = tuple(
            name for name in ("gpus", "hours", "ports", "sensors") if f'"{name}":' in body
        )
        if not left or left[-1] != names:
            left.append(names)

    assert left[:3] == [
        ("gpus", "hours", "ports", "sensors"),
        ("gpus", "hours", "sensors"),
        ("hours", "sensors"),
    ]
