from collections.abc import Iterable

from reflexarc.gpu.lines import REACH, EventLines
from reflexarc.gpu.parse import parse

HEAD = "[1.0] NVRM: The NVIDIA GPU 0000:{}:00.0"
MIDDLE = "[1.0] NVRM: (PCI ID: 10de:26b5) installed in this system has"
TAIL = "[1.0] NVRM: fallen off the bus and is not responding to commands."
XID = "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus."


def lost(lines: Iterable[str]) -> list[str | None]:
    events = EventLines()
    faults = [parse(events.feed(line)) for line in lines]
    return [fault.pci for fault in faults if fault.kind == "lost"]


def test_the_line_that_completes_an_event_brings_its_address() -> None:
    assert lost([HEAD.format("b3"), MIDDLE, TAIL]) == ["0000:b3:00.0"]


def test_other_lines_come_through_at_once_and_in_between() -> None:
    events = EventLines()

    given = [events.feed(line) for line in (HEAD.format("b3"), "noise", MIDDLE, XID, TAIL)]

    assert given[:4] == [HEAD.format("b3"), "noise", MIDDLE, XID]
    assert given[4] == "\n".join((HEAD.format("b3"), MIDDLE, TAIL))


def test_two_gpus_that_are_lost_at_once_keep_their_addresses() -> None:
    lines = [HEAD.format("b3"), HEAD.format("b4"), MIDDLE, MIDDLE, TAIL, TAIL]

    assert lost(lines) == ["0000:b3:00.0", "0000:b4:00.0"]


def test_the_drivers_other_lines_are_no_part_of_an_event() -> None:
    assert lost([XID, MIDDLE, "NVRM: loading", TAIL]) == [None]


def test_a_middle_line_may_be_missing_or_come_once_too_often() -> None:
    assert lost([HEAD.format("b3"), TAIL]) == ["0000:b3:00.0"]
    assert lost([HEAD.format("b3"), MIDDLE, "NVRM: loading", MIDDLE, TAIL]) == ["0000:b3:00.0"]


def test_a_line_with_its_own_address_does_not_take_another_events() -> None:
    own = "NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus."

    assert lost([HEAD.format("b3"), own, TAIL]) == ["0000:3b:00.0", "0000:b3:00.0"]


def test_an_unsupported_gpu_is_another_story() -> None:
    other = "NVRM: (PCI ID: 10de:0000) installed in this system is not supported by the driver"

    assert lost([HEAD.format("b3"), other, TAIL]) == [None]


def test_a_first_line_is_forgotten_when_nothing_follows() -> None:
    noise = ["noise"] * REACH

    assert lost([HEAD.format("b3"), *noise, TAIL]) == [None]


def test_the_older_split_of_the_lines_is_known() -> None:
    first = "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:2204)"
    second = "NVRM: installed in this system has fallen off the bus and"

    assert lost([first, second, "NVRM: is not responding to commands."]) == ["0000:01:00.0"]


def test_a_last_line_alone_is_lost_without_an_address() -> None:
    assert lost([TAIL]) == [None]
