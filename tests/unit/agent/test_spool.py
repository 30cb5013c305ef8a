import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflexarc.agent import lane as lane_module
from reflexarc.agent.frames import frame
from reflexarc.agent.spool import MEBIBYTE, LaneName, Spool
from reflexarc.kernel.errors import Rejected
from tests.agent.fakes import Time, message

LANES: tuple[LaneName, ...] = ("faults", "readings")


def opened(folder: Path, time: Time | None = None, *, max_bytes: int = 8 * MEBIBYTE) -> Spool:
    spool = Spool(folder, max_bytes=max_bytes, monotonic=(time or Time()).monotonic)
    spool.open()
    return spool


def reopened(spool: Spool, folder: Path, *, max_bytes: int = 8 * MEBIBYTE) -> Spool:
    spool.close()
    return opened(folder, max_bytes=max_bytes)


def ids(spool: Spool, lane: LaneName = "faults") -> list[str]:
    return [each.id for each in spool.front(lane, 10_000, 1 << 40)]


def numbered(*numbers: int) -> list[str]:
    return [message(number).id for number in numbers]


def segments(folder: Path, lane: LaneName = "faults") -> list[Path]:
    return sorted((folder / lane).iterdir())


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = opened(tmp_path)
    yield spool
    spool.close()


@pytest.mark.parametrize("lane", LANES)
def test_messages_wait_in_order_until_settled(spool: Spool, lane: LaneName) -> None:
    spool.put(lane, [message(1), message(2)], {})
    spool.put(lane, [message(3)], {})

    spool.settle(lane, numbered(1))

    assert ids(spool, lane) == numbered(2, 3)
    assert spool.waiting(lane) == 2


def test_front_is_bounded_by_count_and_by_size(spool: Spool) -> None:
    spool.put("faults", [message(number, size=100) for number in range(5)], {})

    assert len(spool.front("faults", 3, 10_000)) == 3
    assert len(spool.front("faults", 5, 250)) == 2
    assert len(spool.front("faults", 5, 10)) == 1


def test_next_process_finds_what_was_not_settled_and_the_last_state(tmp_path: Path) -> None:
    before = opened(tmp_path)
    before.put("faults", [message(1), message(2, faults=7), message(3)], {"seq": 1})
    before.settle("faults", numbered(1))
    before.put("faults", [], {"seq": 2})

    after = reopened(before, tmp_path)

    assert ids(after) == numbered(2, 3)
    assert after.front("faults", 1, 1 << 20) == [message(2, faults=7)]
    assert after.state("faults") == {"seq": 2}


def test_message_settled_out_of_order_may_come_again_but_no_other_is_lost(tmp_path: Path) -> None:
    before = opened(tmp_path)
    before.put("faults", [message(1), message(2), message(3)], {})
    before.settle("faults", numbered(2))
    assert ids(before) == numbered(1, 3)

    assert ids(reopened(before, tmp_path)) == numbered(1, 2, 3)


def test_settled_messages_take_no_room(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_bytes=MEBIBYTE)
    for number in range(300):
        spool.put("faults", [message(number, size=10_000)], {"seq": number})
        spool.settle("faults", numbered(number))

    assert sum(path.stat().st_size for path in segments(tmp_path)) < 200_000
    assert spool.report().faults_shed == 0
    assert reopened(spool, tmp_path).state("faults") == {"seq": 299}


def test_numbers_are_never_used_twice_over_restarts(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for number in range(5):
        spool.put("faults", [message(number)], {})
        spool.settle("faults", numbered(number))
        spool = reopened(spool, tmp_path)

    spool.put("faults", [message(9)], {})

    assert ids(reopened(spool, tmp_path)) == numbered(9)


def test_torn_last_record_is_skipped_and_the_rest_kept(tmp_path: Path) -> None:
    before = opened(tmp_path)
    before.put("faults", [message(1)], {"seq": 1})
    before.put("faults", [message(2)], {"seq": 2})
    before.close()
    last = segments(tmp_path)[-1]
    os.truncate(last, last.stat().st_size - 5)

    after = Spool(tmp_path, max_bytes=MEBIBYTE)
    damaged = after.open()

    assert damaged > 0
    assert ids(after) == numbered(1)
    assert after.state("faults") == {"seq": 1}
    after.put("faults", [message(3)], {"seq": 3})
    assert ids(reopened(after, tmp_path)) == numbered(1, 3)


def test_record_of_another_format_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "0000000001.seg").write_bytes(
        frame(b"[1]") + frame(b'{"put":[[1]]}') + frame(b"not json")
    )
    (tmp_path / "faults" / "notes.seg").write_text("not ours")

    assert ids(opened(tmp_path)) == []


def test_backlog_is_read_back_from_the_disk_and_not_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "RESIDENT_MAX", 1_000)
    spool = opened(tmp_path)

    spool.put("faults", [message(number, size=500) for number in range(10)], {})

    assert spool._lanes["faults"].resident <= 1_500
    assert [len(each.text) for each in spool.front("faults", 10, 1 << 20)] == [500] * 10


def test_full_budget_sheds_readings_first_and_faults_last(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_bytes=MEBIBYTE)
    for number in range(50):
        spool.put("readings", [message(number, size=10_000)], {})
    for number in range(60):
        spool.put("faults", [message(number, size=10_000, faults=2)], {})
    report = spool.report()
    assert report.readings_shed > 0
    assert report.faults_shed == 0

    for number in range(60, 200):
        spool.put("faults", [message(number, size=10_000, faults=2)], {})

    report = spool.report()
    assert report.readings_shed == 50
    assert report.faults_shed == 2 * (200 - spool.waiting("faults"))
    assert ids(spool)[-1] == message(199).id
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.seg")) <= MEBIBYTE + 100_000


def test_what_was_shed_stays_away_after_a_restart(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_bytes=MEBIBYTE)
    for number in range(200):
        spool.put("faults", [message(number, size=10_000)], {})
    waiting = ids(spool)

    assert ids(reopened(spool, tmp_path)) == waiting


def test_one_huge_record_fits_where_segments_are_small(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_bytes=MEBIBYTE)

    spool.put("faults", [message(1, size=400_000)], {})
    spool.put("faults", [message(2)], {})

    assert ids(reopened(spool, tmp_path)) == numbered(1, 2)


class FullDisk:
    """Lets so many bytes through to files, then answers as a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd: int, data: bytes) -> int:
        taken = min(len(data), self.room)
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= taken
        return self._write(fd, data[:taken])


def test_full_disk_leaves_messages_in_memory_and_they_reach_the_disk_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    spool = opened(tmp_path, time)
    spool.put("faults", [message(1)], {"seq": 1})
    disk = FullDisk(monkeypatch, room=50)

    spool.put("faults", [message(2)], {"seq": 2})
    spool.put("faults", [message(3)], {"seq": 3})

    assert ids(spool) == numbered(1, 2, 3)
    assert spool.report().trouble == "No space left on device (spool)"
    spool.settle("faults", numbered(1))
    assert ids(spool) == numbered(2, 3)

    disk.room = 1 << 30
    time.pass_by(2)
    spool.retry_disk()
    assert spool.report().trouble == ""
    after = reopened(spool, tmp_path)
    assert [each for each in ids(after) if each != message(1).id] == numbered(2, 3)
    assert after.state("faults") == {"seq": 3}


def test_disk_that_refused_is_not_asked_for_every_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    spool = opened(tmp_path, time)
    disk = FullDisk(monkeypatch, room=0)
    spool.put("faults", [message(1)], {})
    disk.room = 1 << 30

    spool.put("faults", [message(2)], {})
    assert spool.report().trouble
    time.pass_by(1)
    spool.put("faults", [message(3)], {})

    assert not spool.report().trouble


def test_memory_is_bounded_and_sheds_readings_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, max_bytes=MEBIBYTE, memory_max=10_000, monotonic=Time().monotonic)
    spool.open()
    FullDisk(monkeypatch, room=0)
    for number in range(5):
        spool.put("readings", [message(number, size=1_000)], {})
    for number in range(9):
        spool.put("faults", [message(number, size=1_000)], {})
    assert spool.report().readings_shed == 4
    assert spool.report().faults_shed == 0

    for number in range(9, 12):
        spool.put("faults", [message(number, size=1_000, faults=3)], {})

    assert spool.report().readings_shed == 5
    assert spool.report().faults_shed == 2
    assert ids(spool) == numbered(*range(2, 12))


def test_folder_that_cannot_be_made_leaves_everything_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = opened(tmp_path / "file" / "spool")

    spool.put("faults", [message(1)], {})

    assert ids(spool) == numbered(1)
    assert "Not a directory" in spool.report().trouble
    spool.settle("faults", numbered(1))
    spool.sync()
    spool.close()


def test_segment_that_somebody_deleted_is_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "RESIDENT_MAX", 0)
    spool = opened(tmp_path)
    spool.put("faults", [message(1, faults=5)], {})
    segments(tmp_path)[0].unlink()

    assert ids(spool) == []
    assert spool.report().faults_shed == 5
    assert spool.waiting("faults") == 0


def test_segment_that_rots_is_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "RESIDENT_MAX", 0)
    spool = opened(tmp_path)
    spool.put("faults", [message(1)], {})
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-3] + b"???")

    assert ids(spool) == []
    assert spool.report().faults_shed == 1


def test_two_agents_cannot_share_a_folder(tmp_path: Path) -> None:
    first = opened(tmp_path)

    with pytest.raises(Rejected, match="another agent uses the spool"):
        opened(tmp_path)

    first.close()
    opened(tmp_path).close()


def test_report_tells_what_waits_and_since_when(spool: Spool) -> None:
    assert spool.report().oldest_at is None

    spool.put("readings", [message(2, size=70)], {})
    spool.put("faults", [message(1, size=50)], {})

    assert spool.report().bytes == 120
    assert spool.report().oldest_at is not None


def test_sync_after_writing_and_before_is_harmless(spool: Spool) -> None:
    spool.sync()
    spool.put("faults", [message(1)], {})
    spool.sync()

    assert ids(spool) == numbered(1)


def test_lane_without_a_folder_does_not_disturb_one_that_is_full(tmp_path: Path) -> None:
    (tmp_path / "readings").write_text("no folder")
    spool = opened(tmp_path, max_bytes=MEBIBYTE)
    spool.put("readings", [message(1)], {})

    for number in range(200):
        spool.put("faults", [message(number, size=10_000)], {})

    assert spool.report().faults_shed == 200 - spool.waiting("faults")
    assert spool.waiting("readings") == 1


def test_full_disk_and_full_budget_together_still_take_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(tmp_path, max_bytes=64 * 1024)
    spool.put("faults", [message(1, size=60_000)], {})
    FullDisk(monkeypatch, room=0)

    spool.put("faults", [message(2, size=60_000)], {})

    assert numbered(2) == ids(spool)[-1:]
    assert spool.report().trouble
