"""What happens to pages, one transaction after the other, in a world that goes wrong."""

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reflexarc.events.notice import Notice
from reflexarc.events.page import Entry, Page, PageState
from reflexarc.events.severity import Severity
from reflexarc.incidents.model import Commit, PageWrite
from tests.support.chaos import ONCE, World
from tests.support.notices import incident, member, page, scope_of
from tests.support.verdict import verify

# More nodes than a root message names: they fill a list in its thread.
CROWD = 12
Chapters = tuple[str, ...]
# Bounded patience: after the last trouble the groups are clean after so many looks, sweeps
# included. Slack takes a message a second, so each message may cost one.
LOOKS = 100
STORIES: tuple[Chapters, ...] = (
    ("open",),
    ("tale", "rise"),
    ("open", "gang", "gang", "gang", "gang", "gang"),
    ("open", "crowd", "join", "heal"),
    ("tale", "ack", "resolve"),
    ("open", "crowd", "rise", "heal", "resolve"),
    ("open", "resolve", "open", "join"),
    ("open", "ack", "rise", "resolve", "open", "join", "resolve"),
)


def plan_news(world: World, stories: list[Chapters]) -> None:
    """Let each story happen to a scope of its own, all at the same time."""
    author = Author(world)
    lines = [author.steps_of(number, story) for number, story in enumerate(stories, start=1)]
    for steps in itertools.zip_longest(*lines):
        world.news += [step for step in steps if step is not None]


def chaos(world: World, steps: list[str]) -> None:
    """Let these things happen, and whatever goes wrong on the way."""
    for step in steps:
        if step == "news" and world.news:
            world.news.pop(0)()
        elif step == "deliver":
            world.deliver_one()
        elif step == "lose" and world.queue:
            world.lost.add(world.queue.pop(0)[1])
        elif step == "double" and world.queue:
            world.queue.append(world.queue[0])
        elif step == "sweep":
            world.sweep()
        elif step == "wait":
            world.clock.forward(7)


def settle_down(world: World, looks: int = LOOKS) -> None:
    """Let the rest of the story happen without trouble, until nothing is left to do."""
    while world.news:
        world.news.pop(0)()
    world.calm, world.looks = True, -len(world.queue) - len(world.re_wakes)
    while world.looks < looks and (
        world.deliver_one() or world.queue or world.re_wakes or any(world.book.store.rows.values())
    ):
        world.clock.forward(1)
        if not (world.queue or world.re_wakes):
            world.clock.now += timedelta(seconds=60)
            world.sweep()
    assert world.looks < looks, "no end of looks"


STEPS = ("news", "deliver", "wait", "deliver", "double", "lose", "sweep", "wait")


def live_through(seed: int) -> None:
    """Let eight stories happen in a bad world, and check what people were told."""
    dice = random.Random(seed)
    world = World(choose=dice.choice)
    plan_news(world, dice.choices(STORIES, k=8))
    chaos(world, dice.choices(STEPS, k=250))
    settle_down(world, looks=300)
    verify(world)


def live_through_one(what: str, point: int, known: Chapters, unknown: Chapters) -> bool:
    """Let one thing happen, at this point of a sender's work on what is unknown of a known page.

    Return whether the work has that many points: so a test can go through all of them.
    """
    points = itertools.count()

    def choose(may: tuple[str, ...]) -> str:
        return what if next(points) == point and what in may else "go"

    world = World(choose=choose, mood=ONCE)
    plan_news(world, [known + unknown])
    world.calm = True
    for _ in Author(world).steps_of(1, known):
        world.news.pop(0)()
    quieten(world)
    world.calm = False
    world.news.pop(0)()
    quieten(world)
    reached = next(points) > point
    settle_down(world)
    verify(world)
    return reached


def quieten(world: World) -> None:
    """Let senders work until nothing waits."""
    for _ in range(LOOKS):
        while world.deliver_one():
            pass
        if not (world.queue or world.re_wakes):
            return
        world.clock.forward(1)


@dataclass
class Author:
    """Changes pages as the incidents slice does: with their notices, members before marks."""

    world: World

    def write(self, after: Page, *, fresh: bool = False) -> None:
        """Store a page's next version, and that all of its channels are behind."""
        book, now = self.world.book, self.world.clock.now
        known = book.page(after.ref)
        version = known.version if known else 0
        page = after.model_copy(update={"version": version + 1})
        notices = tuple(
            Notice(
                channel=channel,
                page=page.ref,
                severity=page.severity,
                created_at=now,
                fresh=fresh,
            )
            for channel in page.channels
        )
        write = PageWrite(page=page, expected=version)
        book.commit(Commit(at=now, pages=(write,), notices=notices))
        self.world.wake({notice.group for notice in notices})

    def open(self, number: int, *lines: str) -> None:
        """Open the next page of a scope, mild, with these lines of history."""
        before = self.world.book.latest(scope_of(number))
        lead = incident(number, severity=Severity.WARNING)
        generation = before.generation + 1 if before else 1
        opened = page(number, generation=generation, lead=lead, opened_at=self.world.clock.now)
        for line in lines:
            opened = self._said(opened, line)
        self.write(opened, fresh=True)

    def change(self, number: int, state: PageState, **fields: Any) -> None:
        """Change what a page is."""
        before = self._page(number)
        after = before.model_copy(update={"state": state, **fields})
        rises = after.severity.rank > before.severity.rank
        self.write(self._said(after, f"now {state} {after.severity}", loud=rises))

    def join(self, number: int, nodes: Iterable[int], **fields: Any) -> None:
        """Store members, new or changed; nobody is told yet."""
        ref = self._page(number).ref
        joined = tuple((ref, member(node, f"node-{node}", **fields)) for node in nodes)
        self.world.book.commit(Commit(at=self.world.clock.now, joined=joined))

    def mark(self, number: int) -> None:
        """Tell channels that members changed."""
        page = self._page(number)
        self.world.wake(self.world.book.mark(page, self.world.clock.now))

    def steps_of(self, number: int, chapters: tuple[str, ...]) -> list[Callable[[], None]]:
        """Return what happens to one scope, one transaction after the other."""
        steps: list[Callable[[], None]] = []
        nodes = range(10, 10)
        for chapter in chapters:
            if joining := {"join": 1, "gang": 1, "crowd": CROWD}.get(chapter, 0):
                nodes = range(nodes.stop, nodes.stop + joining)
            if chapter in {"join", "gang", "crowd", "heal"}:
                steps += self._members(number, chapter, nodes)
            else:
                steps.append(self._page_changes(number)[chapter])
        return steps

    def _members(self, number: int, chapter: str, nodes: range) -> list[Callable[[], None]]:
        """Return how members change; of a gang, the change and its mark are one step."""
        state = {"state": "resolved"} if chapter == "heal" else {}

        def change() -> None:
            self.join(number, nodes, **state)

        def mark() -> None:
            self.mark(number)

        def both() -> None:
            change()
            mark()

        return [both] if chapter == "gang" else [change, mark]

    def _page_changes(self, number: int) -> dict[str, Callable[[], None]]:
        moment = self.world.clock
        critical = incident(number, severity=Severity.CRITICAL)
        graver = {"severity": Severity.CRITICAL, "lead": critical, "acked_at": None}
        return {
            "open": lambda: self.open(number, "opened"),
            "tale": lambda: self.open(number, "opened", "and more"),
            "rise": lambda: self.change(number, "open", **graver),
            "ack": lambda: self.change(number, "acked", acked_at=moment(), acked_by="them"),
            "resolve": lambda: self.change(number, "resolved", resolved_at=moment()),
        }

    def _page(self, number: int) -> Page:
        page = self.world.book.latest(scope_of(number))
        assert page is not None
        return page

    def _said(self, page: Page, what: str, *, loud: bool = False) -> Page:
        number = len(page.history) + 1
        what = f"line {number}: {what}"
        entry = Entry(number=number, at=self.world.clock.now, what=what, loud=loud)
        return page.model_copy(update={"history": (*page.history, entry)})
