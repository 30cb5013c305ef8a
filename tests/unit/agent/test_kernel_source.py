from datetime import timedelta
from typing import Any

import pytest

from reflexarc.agent.lines import Chunk
from reflexarc.agent.sources.kernel import KernelSource, Records
from tests.agent.fakes import NOW, XID_79, FakeKernelLog, Time, record


def source(log: Records, **facts: Any) -> KernelSource:
    time = Time()
    values: dict[str, Any] = {
        "boot_id": "boot-a",
        "clock": time.clock,
        "monotonic": time.monotonic,
        "open_log": lambda: log,
    }
    return KernelSource(**(values | facts))


def read(log: FakeKernelLog, **facts: Any) -> Chunk:
    chunk = source(log, **facts).read(0)
    assert chunk is not None
    return chunk


def test_record_becomes_a_line_and_moves_the_cursor() -> None:
    chunk = read(FakeKernelLog([record(5, XID_79)]))

    assert [line.text for line in chunk.lines] == [XID_79]
    assert chunk.lines[0].kernel_seq == 5
    assert chunk.lines[0].at == NOW
    assert chunk.cursor == {"boot": "boot-a", "seq": 5}


def test_restart_in_one_boot_skips_what_was_read() -> None:
    log = FakeKernelLog([record(4, "a"), record(5, "b"), record(6, "c")])

    chunk = read(log, cursor={"boot": "boot-a", "seq": 5})

    assert [line.text for line in chunk.lines] == ["c"]
    assert chunk.kernel_lost == 0


def test_after_a_reboot_the_whole_log_is_new() -> None:
    log = FakeKernelLog([record(0, "a", seconds=1), record(1, "b")])

    chunk = read(log, cursor={"boot": "boot-before", "seq": 5})

    assert [line.text for line in chunk.lines] == ["a", "b"]


def test_first_run_ever_takes_the_last_ten_minutes_only() -> None:
    log = FakeKernelLog([record(0, "old", seconds=999_000), record(1, "new", seconds=999_700)])

    chunk = read(log)

    assert [line.text for line in chunk.lines] == ["new"]
    assert chunk.lines[0].at == NOW - timedelta(seconds=300)


def test_start_takes_all_and_end_takes_nothing_old() -> None:
    everything = read(FakeKernelLog([record(0, "old", seconds=1)]), start="start")
    nothing = source(FakeKernelLog([record(0, "old", seconds=1)]), start="end").read(0)

    assert len(everything.lines) == 1
    assert nothing is None


def test_overwritten_records_are_counted_by_their_numbers() -> None:
    log = FakeKernelLog([record(5, "a"), None, record(9, "b")])

    chunk = read(log)

    assert [line.text for line in chunk.lines] == ["a", "b"]
    assert chunk.kernel_lost == 3


def test_records_overwritten_between_two_runs_are_counted_too() -> None:
    chunk = read(FakeKernelLog([record(8, "b")]), cursor={"boot": "boot-a", "seq": 5})

    assert chunk.kernel_lost == 2


def test_line_of_a_program_is_marked() -> None:
    chunk = read(FakeKernelLog([record(5, XID_79, priority=12)]))

    assert not chunk.lines[0].from_kernel


def test_garbage_between_records_is_skipped() -> None:
    chunk = read(FakeKernelLog([b"garbage", record(5, "a")]))

    assert [line.text for line in chunk.lines] == ["a"]


def test_without_following_the_last_chunk_says_so() -> None:
    chunk = read(FakeKernelLog([record(5, "a")]), follow=False)

    assert chunk.ended


def test_nothing_new_is_no_chunk() -> None:
    assert source(FakeKernelLog()).read(0) is None


class BrokenLog(FakeKernelLog):
    def read(self) -> bytes | None:
        raise OSError(5, "Input/output error")


def test_a_broken_device_is_closed_so_that_the_next_read_opens_it_anew() -> None:
    log = BrokenLog()

    with pytest.raises(OSError, match="Input/output"):
        source(log).read(0)

    assert log.closed
