"""What the watcher hands to the intake: findings, second witnesses, the state of the rules."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reflexarc.agent.aggregate import Aggregator, Standing
from reflexarc.agent.noticed import Noticed
from reflexarc.events.gpu_faults import Fault, Finding, GpuFaults, Job
from reflexarc.events.gpu_readings import GpuReadings, SensorReport
from reflexarc.gpu.identity import device_of
from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.watch.model import GpuSample, NodeSample, Observation, XidSeen
from tests.agent.fakes import NOW, XID_79, XID_95, Bench, xid

A = "0000:3b:00"
JOB = Job(id="42", owner="ada", scheduler="slurm")
HOT = Finding(
    rule="thermal/limit",
    aspect="thermal",
    device=A,
    severity="critical",
    says="margin 0 C for 2 looks",
    observed_at=NOW,
)


@dataclass
class FakeOwners:
    """One process, one device, one job; remembers what it was asked."""

    asked: list[object] = field(default_factory=list)

    def of_process(self, pid: int) -> tuple[str, Job | None]:
        self.asked.append(pid)
        return ("python3", JOB) if pid == 1234 else ("", None)

    def of_device(self, device: str, gpu_instance: int | None = None) -> Job | None:
        self.asked.append((device, gpu_instance))
        return Job(id="of the device", ended=True) if device == A else None

    def busy(self) -> frozenset[str]:
        return frozenset()

    def learn(self, observation: Observation) -> None:
        """Nothing is learned here."""


@dataclass
class FakeWitness:
    """Holds what NVML saw for two seconds, unless the kernel log says it too."""

    waiting: dict[str, float] = field(default_factory=dict)
    corroborated: int = 0

    def kernel(self, fault: FaultLine, seconds: float) -> None:
        del seconds
        if self.waiting.pop(f"{device_of(fault.pci)} {fault.code}", None) is not None:
            self.corroborated += 1

    def seen(self, xid: XidSeen, seconds: float) -> None:
        self.waiting[f"{xid.device} {xid.code}"] = seconds + 2

    def due(self, seconds: float) -> Sequence[Finding]:
        alone = [key for key, due in self.waiting.items() if due <= seconds]
        for key in alone:
            del self.waiting[key]
        return [
            HOT.model_copy(update={"rule": f"xid/{key.split()[1]}", "aspect": ""}) for key in alone
        ]

    def snapshot(self) -> Mapping[str, Any]:
        return {"waiting": dict(self.waiting)}

    def restore(self, state: Mapping[str, Any], seconds: float) -> None:
        del seconds
        self.waiting = dict(state["waiting"])


def xid_seen(code: int = 79) -> XidSeen:
    return XidSeen(witness="nvml", device=A, code=code, at=NOW)


def equipped(folder: Path, boot: str = "boot-a", before: Bench | None = None) -> Bench:
    """Return a bench with owners and a witness; with `before`, as after kill -9 of that one."""
    if before is not None:
        before.spool.close()
    kept: dict[str, Any] = {"time": before.time, "queues": before.queues} if before else {}
    return Bench(folder, boot=boot, owners=FakeOwners(), witness=FakeWitness(), **kept)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = equipped(tmp_path)
    yield bench
    bench.spool.close()


def sent(bench: Bench) -> list[GpuFaults]:
    bench.deliver_all()
    return [GpuFaults.model_validate_json(body) for _, body in bench.queues["faults"].sent]


def findings(bench: Bench) -> list[Finding]:
    return [finding for message in sent(bench) for finding in message.findings]


def faults(bench: Bench) -> list[Fault]:
    return [fault for message in sent(bench) for fault in message.faults]


def test_finding_is_ready_to_be_sent_when_it_is_noticed(bench: Bench) -> None:
    bench.intake.accept(Noticed(findings=(HOT,), uuids={A: "GPU-a"}))

    [message] = sent(bench)
    assert (message.seq, message.faults) == (1, ())
    [finding] = message.findings
    assert (finding.rule, finding.gpu_uuid) == ("thermal/limit", "GPU-a")
    assert finding.job == Job(id="of the device", ended=True)
    assert bench.counters.findings == 1
    assert bench.events.named("finding")[0]["rule"] == "thermal/limit"


def test_job_that_a_finding_names_itself_is_kept(bench: Bench) -> None:
    bench.intake.accept(Noticed(findings=(HOT.model_copy(update={"job": JOB}),)))

    assert findings(bench)[0].job == JOB


def test_owner_of_a_mig_instance_is_asked_for_by_its_instance(bench: Bench) -> None:
    hot = HOT.model_copy(update={"values": {"gpu_instance": 3.0}})
    bench.intake.accept(Noticed(findings=(hot,)))

    owners = bench.intake.attribution.owners
    assert isinstance(owners, FakeOwners)
    assert owners.asked == [(A, 3)]


def test_first_fault_of_a_key_has_the_owner_of_its_process(bench: Bench) -> None:
    bench.intake.accept(Noticed(uuids={A: "GPU-a"}))
    bench.feed(XID_79)

    [fault] = faults(bench)
    assert (fault.process, fault.job, fault.gpu_uuid) == ("python3", JOB, "GPU-a")


def test_fault_of_a_process_that_is_gone_has_the_owner_of_its_device(bench: Bench) -> None:
    bench.feed(XID_95)

    [fault] = faults(bench)
    assert (fault.process, fault.job) == (None, Job(id="of the device", ended=True))


def test_storm_asks_for_the_process_once(bench: Bench) -> None:
    bench.feed(*[XID_79] * 1000)
    bench.time.pass_by(5)
    bench.intake.tick()

    owners = bench.intake.attribution.owners
    assert isinstance(owners, FakeOwners)
    assert owners.asked.count(1234) == 1
    assert [fault.count for fault in faults(bench)] == [1, 999]


def test_fault_of_nobody_known_is_sent_as_it_was_read(bench: Bench) -> None:
    line = xid(7).replace(", pid=7, name=job", "")
    bench.feed(line)

    assert faults(bench) == [Fault(line=line, observed_at=NOW)]


def test_second_witness_that_the_kernel_log_confirms_doubles_nothing(bench: Bench) -> None:
    bench.intake.accept(Noticed(xids=(xid_seen(),)))
    bench.feed(XID_79)
    bench.time.pass_by(10)
    bench.intake.tick()

    assert findings(bench) == []
    assert len(faults(bench)) == 1
    assert bench.counters.corroborated == 1


def test_second_witness_alone_is_heard_when_the_kernel_log_stays_silent(bench: Bench) -> None:
    bench.intake.accept(Noticed(xids=(xid_seen(),)))
    bench.intake.tick()
    early = findings(bench)
    bench.time.pass_by(2)
    bench.intake.tick()

    assert early == []
    assert [finding.rule for finding in findings(bench)] == ["xid/79"]


def test_kill_forgets_no_witness_and_doubles_no_finding(tmp_path: Path) -> None:
    before = equipped(tmp_path)
    before.intake.accept(Noticed(findings=(HOT,), rules={"active": [A]}, xids=(xid_seen(),)))

    after = equipped(tmp_path, before=before)
    rules = after.intake.rules
    after.time.pass_by(2)
    after.intake.tick()

    assert rules == {"active": [A]}
    assert [finding.rule for finding in findings(after)] == ["thermal/limit", "xid/79"]
    assert [message.seq for message in sent(after)] == [1, 2]
    after.spool.close()


def test_what_a_witness_held_before_a_reboot_leaves_as_of_that_boot(tmp_path: Path) -> None:
    before = equipped(tmp_path)
    before.intake.accept(Noticed(findings=(HOT,), xids=(xid_seen(),)))

    after = equipped(tmp_path, boot="boot-b", before=before)

    told = [(message.source.boot_id, message.seq) for message in sent(after)]
    assert told == [("boot-a", 1), ("boot-a", 2)]
    assert findings(after)[1].rule == "xid/79"
    assert not math.isnan(after.time.seconds)
    after.spool.close()


def test_state_of_the_rules_is_kept_though_they_find_nothing(tmp_path: Path) -> None:
    before = equipped(tmp_path)
    before.intake.accept(Noticed(rules={"active": []}, uuids={A: "GPU-a"}))
    before.time.pass_by(31)
    before.intake.tick()

    after = equipped(tmp_path, before=before)

    assert after.intake.rules == {"active": []}
    assert after.intake.attribution.uuids == {A: "GPU-a"}
    after.spool.close()


def test_heartbeat_carries_the_window_and_how_sensors_fare(bench: Bench) -> None:
    aggregator = Aggregator(started_at=NOW, seconds=bench.time.seconds)
    bench.intake.aggregator = aggregator
    bench.intake.sensors = lambda: (SensorReport(name="nvml", status="hung", says="for 42 s"),)
    look(bench, aggregator)

    bench.intake.heartbeat()

    [readings] = heartbeats(bench)
    assert readings.window_s == pytest.approx(1)
    assert readings.gpus[0].gauges["temperature_c"].last == pytest.approx(60)
    assert readings.sensors[0].status == "hung"


def test_hour_survives_a_kill_and_loses_what_was_counted_since_the_last_heartbeat(
    tmp_path: Path,
) -> None:
    before = equipped(tmp_path)
    before.intake.aggregator = Aggregator(started_at=NOW, seconds=before.time.seconds)
    for _ in range(10):
        look(before, before.intake.aggregator)
    before.intake.heartbeat()
    look(before, before.intake.aggregator)

    after = equipped(tmp_path, before=before)
    after.intake.aggregator = Aggregator(
        started_at=NOW + timedelta(hours=9), seconds=after.time.seconds
    )
    after.intake.restore()
    look(after, after.intake.aggregator)
    after.intake.heartbeat()

    first, second = (each.hours[0] for each in heartbeats(after))
    assert (first.observed_s, second.observed_s) == (10, 11)
    assert first.since == second.since == NOW
    after.spool.close()


def test_hours_that_cannot_be_read_are_told_and_start_anew(tmp_path: Path) -> None:
    before = Bench(tmp_path)
    before.spool.put("readings", [], {"boot": "boot-a", "seq": 1, "hours": [{"device": 3}]})
    before.spool.close()
    after = Bench(tmp_path)
    after.intake.aggregator = Aggregator(started_at=NOW, seconds=after.time.seconds)

    after.intake.restore()

    assert "hours kept by an earlier agent cannot be read" in after.written[-1]
    after.spool.close()


def look(bench: Bench, aggregator: Aggregator) -> None:
    bench.time.pass_by(1)
    gpu = GpuSample(device=A, temperature_c=60.0, utilization=0.0)
    sample = NodeSample(at=bench.time.clock(), seconds=bench.time.seconds, gpus=(gpu,))
    aggregator.look(sample, standing={A: Standing(health="ok")})


def heartbeats(bench: Bench) -> list[GpuReadings]:
    bench.deliver_all()
    return [GpuReadings.model_validate_json(body) for _, body in bench.queues["readings"].sent]
