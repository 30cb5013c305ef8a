from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reflexarc.agent.lines import Chunk
from reflexarc.events.gpu_faults import Fault, GpuFaults
from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.gpu.watch.witness import Witness
from tests.agent.fakes import NOW, XID_79, XID_95, Bench, xid


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.spool.close()


def batches(bench: Bench) -> list[GpuFaults]:
    bench.deliver_all()
    return [GpuFaults.model_validate_json(body) for _, body in bench.queues["faults"].sent]


def faults(bench: Bench) -> list[Fault]:
    return [fault for batch in batches(bench) for fault in batch.faults]


def heartbeats(bench: Bench) -> list[GpuReadings]:
    bench.deliver_all()
    return [GpuReadings.model_validate_json(body) for _, body in bench.queues["readings"].sent]


def test_fault_line_is_ready_to_be_sent_when_the_chunk_is_taken(bench: Bench) -> None:
    bench.feed("usb 1-1: new device", XID_79, kernel_seq=7)

    [batch] = batches(bench)
    assert batch.source.node == "node-7"
    assert batch.seq == 1
    assert batch.faults == (Fault(line=XID_79, observed_at=NOW, kernel_seq=7),)


def test_faults_read_together_leave_together(bench: Bench) -> None:
    bench.feed(*(xid(number) for number in range(20)))

    [batch] = batches(bench)
    assert len(batch.faults) == 20


def test_repeats_come_as_one_count_a_window_later(bench: Bench) -> None:
    bench.feed(*[XID_95] * 1000)
    bench.time.pass_by(5)
    bench.intake.tick()

    first, repeats = faults(bench)
    assert (first.count, repeats.count) == (1, 999)


def recovery(number: int) -> str:
    return f"NVRM: Xid (PCI:0000:3b:00): 154, GPU recovery action changed from 0x1 to 0x{number:x}"


def test_what_was_counted_leaves_before_the_word_that_all_is_well(bench: Bench) -> None:
    bench.feed(*[XID_95] * 3)
    bench.feed(recovery(1), recovery(0))

    assert [(fault.line, fault.count) for fault in faults(bench)] == [
        (XID_95, 1),
        (recovery(1), 1),
        (XID_95, 2),
        (recovery(0), 1),
    ]


def test_a_fault_after_the_word_that_all_is_well_does_not_wait(bench: Bench) -> None:
    bench.feed(*[XID_95] * 3, recovery(0))
    bench.feed(XID_95)
    bench.feed(recovery(0))

    assert [fault.line for fault in faults(bench)][-2:] == [XID_95, recovery(0)]


def test_line_that_does_not_parse_is_sent_counted_and_shown(bench: Bench) -> None:
    odd = "NVRM: Xid (somewhere new): seventy-nine"
    bench.feed(odd)
    bench.intake.heartbeat()

    assert [fault.line for fault in faults(bench)] == [odd]
    [reading] = heartbeats(bench)
    assert reading.heartbeat.counters.unparsed == 1
    assert reading.heartbeat.unparsed_sample == odd


def test_fault_that_a_program_wrote_is_counted_and_goes_no_further(bench: Bench) -> None:
    bench.feed(XID_79, "systemd: started", from_kernel=False)

    assert faults(bench) == []
    assert bench.counters.spoofed == 1


def test_test_switch_believes_programs(tmp_path: Path) -> None:
    bench = Bench(tmp_path, allow_userspace=True)
    bench.feed(XID_79, from_kernel=False)

    assert len(faults(bench)) == 1
    bench.spool.close()


def test_event_of_several_lines_is_joined_within_its_source(bench: Bench) -> None:
    bench.feed("NVRM: The NVIDIA GPU 0000:b3:00.0")
    bench.feed("NVRM: (PCI ID: 10de:26b5) installed in this system has")
    bench.feed("NVRM: fallen off the bus and is not responding to commands.")

    [fault] = faults(bench)
    assert fault.line.startswith("NVRM: The NVIDIA GPU 0000:b3:00.0\n")


def test_overwritten_records_are_counted_and_told(bench: Bench) -> None:
    bench.intake.accept(Chunk(source="kmsg", kernel_lost=12))

    assert bench.counters.kernel_lost == 12
    assert "the kernel overwrote records" in bench.written[0]


def test_heartbeat_carries_counters_and_what_waits(bench: Bench) -> None:
    bench.feed("noise", XID_79, XID_79)
    bench.intake.heartbeat()

    heartbeat = heartbeats(bench)[0].heartbeat
    assert (heartbeat.counters.lines, heartbeat.counters.faults) == (3, 2)
    assert heartbeat.counters.collapsed == 1
    assert heartbeat.spool_bytes > 0
    assert heartbeat.spool_oldest_at is not None
    assert not heartbeat.farewell


def test_planned_end_lets_repeats_go_and_says_farewell(bench: Bench) -> None:
    bench.feed(XID_95, XID_95, XID_95)
    bench.intake.finish()
    bench.intake.heartbeat(farewell=True)

    assert sum(fault.count for fault in faults(bench)) == 3
    assert heartbeats(bench)[-1].heartbeat.farewell


def test_numbers_go_on_over_a_restart_in_one_boot(tmp_path: Path) -> None:
    before = Bench(tmp_path)
    before.feed(xid(1))
    before.intake.heartbeat()
    after = before.crash()
    after.feed(xid(2))
    after.intake.heartbeat()

    assert [batch.seq for batch in batches(after)] == [1, 2]
    assert [reading.seq for reading in heartbeats(after)] == [1, 2]
    after.spool.close()


def test_numbers_begin_anew_after_a_reboot(tmp_path: Path) -> None:
    before = Bench(tmp_path)
    before.feed(xid(1))
    before.spool.close()
    after = Bench(tmp_path, boot="boot-b")
    after.feed(xid(2))

    assert [(each.source.boot_id, each.seq) for each in batches(after)] == [
        ("boot-a", 1),
        ("boot-b", 1),
    ]
    after.spool.close()


@pytest.mark.parametrize("boot", ["boot-a", "boot-b"])
def test_state_of_another_version_stops_no_agent_and_keeps_its_numbers(
    tmp_path: Path, boot: str
) -> None:
    before = Bench(tmp_path)
    counted = {"key": "k", "line": XID_95, "count": 3, "kernel_seq": None, "first_at": "soon"}
    seen = {"at": NOW.isoformat(), "by": ["nvml"], "device": "0000:3b:00", "not_known_here": 1}
    state = {"boot": "boot-a", "seq": 7, "pending": [counted], "witness": {"waiting": [seen]}}
    before.spool.put("faults", [], {**state, "cursors": {"kmsg": {"seq": 5}}, "new": True})
    before.spool.close()

    after = Bench(tmp_path, boot=boot, witness=Witness())
    after.feed(xid(1))

    assert [batch.seq for batch in batches(after)] == [8 if boot == "boot-a" else 1]
    told = " ".join(after.written)
    assert "counts kept by another agent cannot be read" in told
    assert "reports kept by another agent cannot be read" in told
    after.spool.close()


def test_repeats_counted_before_a_reboot_leave_as_of_that_boot(tmp_path: Path) -> None:
    before = Bench(tmp_path)
    before.feed(*[XID_95] * 10)
    before.spool.close()
    after = Bench(tmp_path, boot="boot-b")

    sent = batches(after)
    assert [(each.source.boot_id, each.seq) for each in sent] == [("boot-a", 1), ("boot-a", 2)]
    assert [each.faults[0].count for each in sent] == [1, 9]
    after.spool.close()
    assert batches(Bench(tmp_path, boot="boot-b")) == []


def test_without_a_spool_numbers_stay_above_those_of_an_earlier_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bench = Bench(tmp_path / "file")
    bench.feed(xid(1))

    assert batches(bench)[0].seq == 1_000_000 * 1000 + 1


def test_kill_between_any_two_chunks_keeps_counts_exact(tmp_path: Path) -> None:
    lines = [XID_95, "noise", XID_95, XID_79, XID_95, XID_79, xid(3), XID_95, XID_95, xid(3)]
    for killed_after in range(len(lines)):
        folder = tmp_path / str(killed_after)
        bench = Bench(folder)
        for position, line in enumerate(lines[: killed_after + 1], start=1):
            bench.feed(line, position=position)
        bench = bench.crash()
        read_again_from = int(bench.intake.cursors.get("kmsg", {"seq": 0})["seq"])
        for position, line in enumerate(lines[read_again_from:], start=read_again_from + 1):
            bench.feed(line, position=position)
        bench.intake.finish()

        found: dict[str, int] = {}
        for fault in faults(bench):
            found[fault.line] = found.get(fault.line, 0) + fault.count
        bench.spool.close()
        assert found == {XID_95: 5, XID_79: 2, xid(3): 2}


@pytest.mark.parametrize(("texts", "after"), [((XID_95, XID_95), 1.0), (("noise",), 30.0)])
def test_counts_and_positions_reach_the_disk_now_and_then(
    bench: Bench, texts: tuple[str, ...], after: float
) -> None:
    bench.feed(XID_95, position=1)
    bench.feed(*texts, position=2)

    bench.time.pass_by(after - 0.1)
    bench.intake.tick()
    early: Any = bench.spool.state("faults")["cursors"]
    bench.time.pass_by(0.2)
    bench.intake.tick()
    late: Any = bench.spool.state("faults")["cursors"]

    assert (early["kmsg"]["seq"], late["kmsg"]["seq"]) == (1, 2)


def test_hundred_thousand_repeats_are_a_handful_of_messages_with_the_exact_sum(
    bench: Bench,
) -> None:
    for second in range(100):
        bench.feed(*[XID_95] * 1000, position=second)
        bench.time.pass_by(1)
        bench.intake.tick()
    bench.intake.finish()

    sent = batches(bench)
    assert sum(fault.count for batch in sent for fault in batch.faults) == 100_000
    assert len(sent) <= 8
    assert sent[-1].faults[0].last_at == NOW + timedelta(seconds=99)
