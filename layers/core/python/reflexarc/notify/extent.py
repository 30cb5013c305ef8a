"""How far the trouble of one page reaches: which things of which nodes, how many are well again."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Role
from reflexarc.events.page import Story
from reflexarc.events.signal import Entity
from reflexarc.notify import wording

TOP = 10
KINDS_NAMED = 3
Device = tuple[str, str]
"""A thing inside its node: its kind and its name there."""
_ASIDES: Mapping[Role, tuple[str, str]] = {
    "consequence": ("consequence", "consequences"),
    "echo": ("echo of a dead peer", "echoes of a dead peer"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One broken thing of a page: its lead, or a member."""

    entity: Entity
    is_open: bool
    role: Role
    cause: str
    count: int
    job: Job | None
    joined_at: datetime
    resolved_at: datetime | None

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what tells one thing from another; two aspects of a GPU are one GPU."""
        return self.entity.kind, self.entity.node, self.entity.device


@dataclass(frozen=True, slots=True)
class Spot:
    """A node with what is broken there; a thing that no node holds is a spot of its own."""

    name: str
    things: tuple[Thing, ...]

    @property
    def devices(self) -> tuple[Device, ...]:
        """Return the kind and name of each thing, in the order in which they joined."""
        return tuple(dict.fromkeys((t.entity.kind, t.entity.device) for t in self.things))

    @property
    def open_devices(self) -> tuple[Device, ...]:
        """Return those that are not well again."""
        still = (t for t in self.things if t.is_open)
        return tuple(dict.fromkeys((t.entity.kind, t.entity.device) for t in still))

    @property
    def changed_at(self) -> datetime:
        """Return when something last joined here or became well."""
        return max(t.resolved_at or t.joined_at for t in self.things)


@dataclass(frozen=True)
class Extent:
    """All that one page is about. `things` are in the order in which they joined, lead first."""

    things: tuple[Thing, ...]

    @cached_property
    def spots(self) -> tuple[Spot, ...]:
        """Return the nodes in the order in which they joined; that order never changes."""
        found: dict[tuple[str, str], list[Thing]] = {}
        for thing in self.things:
            entity = thing.entity
            key = ("node", entity.node) if entity.node else (entity.kind, entity.device)
            found.setdefault(key, []).append(thing)
        return tuple(
            Spot(things[0].entity.node or wording.place_of(things[0].entity), tuple(things))
            for things in found.values()
        )

    @property
    def top(self) -> tuple[Spot, ...]:
        """Return the nodes with most that is still broken, at most TOP of them."""
        ranked = sorted(self.spots, key=lambda spot: -len(spot.open_devices))
        return tuple(ranked[:TOP])

    @cached_property
    def devices(self) -> int:
        """Return how many different things this is about."""
        return len({thing.key for thing in self.things})

    @cached_property
    def open_devices(self) -> int:
        """Return how many of them are not well again."""
        return len({thing.key for thing in self.things if thing.is_open})

    @property
    def repaired(self) -> int:
        """Return how many of them are well again."""
        return self.devices - self.open_devices

    @cached_property
    def nodes(self) -> int:
        """Return how many nodes this is about."""
        return len({thing.entity.node for thing in self.things if thing.entity.node})

    @property
    def seen(self) -> int:
        """Return how often all of it was seen, in all."""
        return sum(thing.count for thing in self.things)

    @property
    def causes(self) -> Counter[str]:
        """Return what was found, with the number of things on which it leads."""
        return Counter(thing.cause for thing in self.things)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs that are hit, each once, in the order in which they were."""
        jobs = (thing.job for thing in self.things if thing.job is not None)
        return tuple({(job.id, job.name, job.owner): job for job in jobs}.values())

    @property
    def changed_at(self) -> datetime:
        """Return when something last joined or became well."""
        return max(thing.resolved_at or thing.joined_at for thing in self.things)

    def of_role(self, role: Role) -> tuple[Thing, ...]:
        """Return the things that have this part in the trouble; the lead is a member."""
        return tuple(thing for thing in self.things if thing.role == role)


def of(story: Story) -> Extent:
    """Return how far a story's trouble reaches."""
    lead = story.page.lead
    first = Thing(
        entity=lead.entity,
        is_open=lead.state == "open",
        role="member",
        cause=lead.cause,
        count=lead.count,
        job=lead.job,
        joined_at=lead.opened_at,
        resolved_at=lead.resolved_at if lead.state == "resolved" else None,
    )
    return Extent((first, *_joined(story)))


def _joined(story: Story) -> Iterable[Thing]:
    for member in story.members:
        yield Thing(
            entity=member.entity,
            is_open=member.state == "open",
            role=member.role,
            cause=member.cause,
            count=member.count,
            job=member.job,
            joined_at=member.joined_at,
            resolved_at=member.resolved_at if member.state == "resolved" else None,
        )


def headline(story: Story) -> str:
    """Return a page's title in words: "Xid 79: GPU lost · 5,000 GPUs of 625 nodes"."""
    return f"{story.page.lead.title} · {reach(of(story))}"


def reach(extent: Extent) -> str:
    """Return what is ill and where, in one phrase: "8 GPUs of node-7".

    Consequences and echoes are not counted: `aside` tells of them.
    """
    core = extent.of_role("member")
    entities = list({thing.key: thing.entity for thing in core}.values())
    if len(entities) == 1:
        return wording.place_of(entities[0])
    nodes = list(dict.fromkeys(entity.node for entity in entities if entity.node))
    kinds = Counter(entity.kind for entity in entities)
    named = [wording.things(kind, count) for kind, count in kinds.most_common(KINDS_NAMED)]
    rest = sum(kinds.values()) - sum(count for _, count in kinds.most_common(KINDS_NAMED))
    phrase = ", ".join([*named, *([f"{wording.number(rest)} more"] if rest else [])])
    if not nodes or set(kinds) == {"node"}:
        return phrase
    return f"{phrase} of {nodes[0] if len(nodes) == 1 else wording.things('node', len(nodes))}"


def aside(extent: Extent) -> str:
    """Return what followed from the trouble or only reflects it; empty when nothing does."""
    counts = {role: len({thing.key for thing in extent.of_role(role)}) for role in _ASIDES}
    return ", ".join(
        f"{wording.number(count)} {_ASIDES[role][count > 1]}"
        for role, count in counts.items()
        if count
    )


def repaired(extent: Extent) -> str:
    """Return how many are well again, "3 of 5,000 repaired"; empty while none is."""
    if not extent.repaired:
        return ""
    return f"{wording.number(extent.repaired)} of {wording.number(extent.devices)} repaired"
