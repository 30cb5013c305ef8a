import queue
from collections.abc import Callable
from pathlib import Path

import pytest

from reflexarc.agent.lines import Chunk, Line
from reflexarc.agent.log import AgentLog
from reflexarc.agent.noticed import Item
from reflexarc.agent.reader import Reader
from tests.agent.fakes import NOW, XID_79


class LockedSource:
    """Cannot be read the first few times, or ever; then it gives one last chunk."""

    name = "kmsg"

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.asked = 0

    def read(self, timeout: float) -> Chunk | None:  # noqa: ARG002 - the port's
        self.asked += 1
        if self.asked <= self.refusals:
            raise PermissionError(1, "Operation not permitted", "/dev/kmsg")
        return Chunk(source="kmsg", lines=(Line(text=XID_79, at=NOW),), ended=True)

    def close(self) -> None:
        """Nothing was opened."""


class Seconds:
    """A monotonic clock that a quarter of a second passes on at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


def reading(
    source: LockedSource, others: Callable[[], bool | None], monkeypatch: pytest.MonkeyPatch
) -> tuple[Reader, list[str]]:
    monkeypatch.setattr("reflexarc.agent.reader.time.sleep", lambda _: None)
    written: list[str] = []
    inbox: queue.Queue[Item] = queue.Queue()
    reader = Reader(
        source=source,
        inbox=inbox,
        log=AgentLog(write=written.append),
        others=others,
        monotonic=Seconds(),
    )
    reader.run(lambda: False)
    return reader, written


def test_only_source_that_cannot_be_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    source = LockedSource(refusals=1000)

    reader, _ = reading(source, lambda: False, monkeypatch)

    assert reader.gave_up
    assert source.asked == 1


def test_source_beside_others_is_asked_until_it_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = LockedSource(refusals=3)

    reader, written = reading(source, lambda: True, monkeypatch)

    assert not reader.gave_up
    assert reader.inbox.get().lines[0].text == XID_79  # type: ignore[union-attr]
    assert "run as root or grant CAP_SYSLOG" in written[0]
    assert len(written) == 3


def test_sensors_have_a_while_to_show_that_the_source_is_not_the_only_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[bool | None] = [None] * 5 + [True]
    source = LockedSource(refusals=6)

    reader, _ = reading(source, lambda: answers.pop(0) if answers else True, monkeypatch)

    assert not reader.gave_up


def test_source_is_given_up_when_no_sensor_has_shown_anything_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, _ = reading(LockedSource(refusals=1000), lambda: None, monkeypatch)

    assert reader.gave_up


@pytest.mark.parametrize("name", ["kmsg"])
def test_failure_says_what_was_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, _ = reading(LockedSource(refusals=1000), lambda: False, monkeypatch)

    assert reader.source.name == name
    assert isinstance(reader.failure, PermissionError)
    assert Path(str(reader.failure.filename)) == Path("/dev/kmsg")
