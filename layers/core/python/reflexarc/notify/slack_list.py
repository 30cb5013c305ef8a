"""Every node of a page in the thread of its message: pages that, once full, keep their nodes."""

from reflexarc.events.page import Page
from reflexarc.notify import slack_spots, wording
from reflexarc.notify.extent import Extent, Spot
from reflexarc.notify.slack_blocks import Message, message, section, sections

# Of the 13,200 characters that Slack takes; the rest is what the blocks themselves need.
ROOM = 12_000


def allot(reached: Extent) -> tuple[tuple[Spot, ...], ...]:
    """Return the nodes of each list page.

    A node keeps its page however many of its GPUs still fail: each has the room that it may ever
    need, so that a page which grows changes its last list page, and adds others behind it.
    """
    filled: list[list[Spot]] = []
    room = 0
    for spot in reached.spots:
        needed = slack_spots.reserve(spot)
        if needed > room:
            filled.append([])
            room = ROOM
        filled[-1].append(spot)
        room -= needed
    return tuple(tuple(part) for part in filled)


def part_of(number: int) -> str:
    """Return the name of a list page among the messages of a page; they count from 1."""
    return f"list/{number}"


def render(page: Page, number: int, before: int, spots: tuple[Spot, ...]) -> Message:
    """Return one list page; `before` nodes stand on earlier ones."""
    first, last = wording.number(before + 1), wording.number(before + len(spots))
    # How many there are in all would change every list page with every node that joins.
    title = f"Affected {first} to {last}, in the order in which they failed"
    said = title if spots else "Nothing more is affected"
    lines = [slack_spots.line(spot, wording.well(page))[0] for spot in spots]
    return message(page, part_of(number), said, [section(f"*{said}*"), *sections(lines)])
