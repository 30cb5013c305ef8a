import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reflexarc.agent.lines import Cursor
from reflexarc.agent.sources.file import FileSource
from reflexarc.agent.sources.watch import FileWatch
from reflexarc.kernel.clock import system_clock


class Opened(list[FileSource]):
    def source(self, path: Path, **facts: Any) -> FileSource:
        values: dict[str, Any] = {"clock": system_clock, "start": "start"}
        self.append(FileSource(path, **(values | facts)))
        return self[-1]


@pytest.fixture
def opened() -> Iterator[Opened]:
    sources = Opened()
    yield sources
    for source in sources:
        source.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "kern.log"
    path.write_text("")
    return path


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def texts(source: FileSource, timeout: float = 0.05) -> list[str]:
    found: list[str] = []
    while (chunk := source.read(timeout)) is not None:
        found += [line.text for line in chunk.lines]
        if chunk.ended:
            break
    return found


def last_cursor(source: FileSource) -> Cursor:
    cursor: Cursor = {}
    while (chunk := source.read(0)) is not None:
        cursor = chunk.cursor
    return cursor


def test_appended_line_wakes_the_reader_at_once(path: Path, opened: Opened) -> None:
    source = opened.source(path)
    woken: list[float] = []

    def wait_for_a_line() -> None:
        assert source.read(5) is not None
        woken.append(time.monotonic())

    reader = threading.Thread(target=wait_for_a_line)
    reader.start()
    time.sleep(0.1)

    written = time.monotonic()
    append(path, "a\n")
    reader.join(5)

    assert woken[0] - written < 0.1


def test_line_without_its_end_waits(path: Path, opened: Opened) -> None:
    source = opened.source(path)
    append(path, "one\ntw")

    assert texts(source) == ["one"]

    append(path, "o\n")
    assert texts(source) == ["two"]


def test_first_run_begins_at_the_end(path: Path, opened: Opened) -> None:
    append(path, "old\n")
    source = opened.source(path, start="resume")
    append(path, "new\n")

    assert texts(source) == ["new"]


def test_file_that_appears_later_is_read_from_its_start(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "later.log"
    source = opened.source(path, start="resume")
    assert source.read(0) is None

    append(path, "a\n")

    assert texts(source) == ["a"]


def test_rotation_loses_no_line(path: Path, opened: Opened) -> None:
    source = opened.source(path)
    append(path, "1\n")
    assert texts(source) == ["1"]

    append(path, "2\n")
    old = path.rename(path.with_name("kern.log.1"))
    append(path, "3\n")
    append(old, "late\n")

    assert sorted(texts(source)) == ["2", "3", "late"]


def test_emptied_file_is_read_from_its_start(path: Path, opened: Opened) -> None:
    source = opened.source(path)
    append(path, "one\ntwo\n")
    assert texts(source) == ["one", "two"]

    path.write_text("3\n")

    assert texts(source) == ["3"]


def test_restart_goes_on_where_the_last_chunk_ended(path: Path, opened: Opened) -> None:
    append(path, "1\n2\nhalf")
    cursor = last_cursor(opened.source(path))
    append(path, " a line\n4\n")

    assert texts(opened.source(path, start="resume", cursor=cursor)) == ["half a line", "4"]


def test_restart_finds_the_file_that_was_rotated_meanwhile(path: Path, opened: Opened) -> None:
    append(path, "1\n")
    cursor = last_cursor(opened.source(path))
    append(path, "2\n")
    path.rename(path.with_name("kern.log.1"))
    append(path, "3\n")

    assert texts(opened.source(path, start="resume", cursor=cursor)) == ["2", "3"]


def test_restart_finds_the_renamed_file_when_nothing_replaced_it(
    path: Path, opened: Opened
) -> None:
    append(path, "1\n")
    cursor = last_cursor(opened.source(path))
    append(path, "2\n")
    path.rename(path.with_name("kern.log.1"))

    source = opened.source(path, start="resume", cursor=cursor)
    assert texts(source) == ["2"]

    append(path, "3\n")
    assert texts(source) == ["3"]


def test_restart_just_after_a_rotation_reads_neither_file_twice(path: Path, opened: Opened) -> None:
    source = opened.source(path)
    append(path, "1\n")
    assert texts(source) == ["1"]
    path.rename(path.with_name("kern.log.1"))
    append(path, "2\n")
    cursor: Cursor = {}
    while (chunk := source.read(0.05)) is not None:
        cursor = chunk.cursor
    append(path.with_name("kern.log.1"), "late\n")
    append(path, "3\n")

    assert texts(opened.source(path, start="resume", cursor=cursor)) == ["late", "3"]


def test_file_with_another_content_under_the_same_inode_is_new(path: Path, opened: Opened) -> None:
    append(path, "aaaa\nbbbb\n")
    cursor = last_cursor(opened.source(path))
    path.write_text("cccc\ndddd\neeee\n")

    assert texts(opened.source(path, start="resume", cursor=cursor)) == ["cccc", "dddd", "eeee"]


def test_once_reads_to_the_end_and_the_last_line_needs_no_newline(
    path: Path, opened: Opened
) -> None:
    append(path, "1\n" + "x" * 200_000 + "\n2")

    found = texts(opened.source(path, follow=False))

    assert [text[:5] for text in found] == ["1", "xxxxx", "2"]


def test_once_needs_the_file(tmp_path: Path, opened: Opened) -> None:
    source = opened.source(tmp_path / "missing", follow=False)

    with pytest.raises(FileNotFoundError):
        source.read(0)


def test_file_system_without_events_is_polled(path: Path, opened: Opened) -> None:
    source = opened.source(path)
    watch = source._watch
    assert watch is not None
    for _ in range(2):
        watch._silent = True  # as if a wait had seen nothing
        append(path, "a\n")
        assert source.read(0) is not None
    assert not watch.events

    threading.Timer(0.05, append, (path, "b\n")).start()

    assert texts(source, timeout=0.3) == ["b"]


def test_watch_of_a_missing_folder_polls(tmp_path: Path) -> None:
    watch = FileWatch(tmp_path / "no" / "folder")

    assert not watch.events
    watch.close()


def test_idle_reader_costs_less_than_a_hundredth_of_a_core(path: Path, opened: Opened) -> None:
    source = opened.source(path)
    assert source.read(0) is not None  # the place where it begins
    before = time.process_time()

    assert source.read(0.5) is None

    assert time.process_time() - before < 0.005


def test_polling_reader_costs_less_than_a_hundredth_of_a_core(path: Path, opened: Opened) -> None:
    source = opened.source(path)
    assert source._watch is not None
    source._watch.close()
    assert source.read(0) is not None  # the place where it begins
    before = time.process_time()

    assert source.read(0.5) is None

    assert time.process_time() - before < 0.01


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_closing_twice_does_no_harm(path: Path) -> None:
    source = FileSource(path, clock=system_clock)
    files = open_files()

    source.close()
    source.close()

    assert open_files() < files


def test_restart_begins_where_the_first_start_did_though_nothing_was_read(
    path: Path, opened: Opened
) -> None:
    append(path, "before the agent was installed\n")
    begun = opened.source(path, start="resume").read(0)
    append(path, "while the agent was dead\n")

    assert begun is not None
    restarted = opened.source(path, start="resume", cursor=begun.cursor)

    assert texts(restarted) == ["while the agent was dead"]
