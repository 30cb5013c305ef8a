"""What the readings' side of the gpu slice needs from the outside world."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reflexarc.events.fleet import Unheard
from reflexarc.events.signal import Signal
from reflexarc.gpu.fleet_rack import Heat
from reflexarc.gpu.fleet_silence import Pulse, Quiet
from reflexarc.gpu.readings import NodeState, RunningHour


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of a state: `newest` tells whether it is what the table holds now.

    `told` is what the node's rack was last told of its heat.
    """

    newest: bool
    lost: int = 0
    recovered: int = 0
    told: str = ""
    born: int | None = None
    """When the queue took the first message of this boot, while its GPUs were not found well."""
    before: NodeState | None = None
    """What the node said before, where it is of a boot whose GPUs were not found well yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rack:
    """The nodes of a rack that ever were hot, and whether the rack's own signal stands."""

    rows: tuple[Heat, ...]
    fired: bool


class Fleet(Protocol):
    """Keeps what the fleet was last like; raises Unavailable when it cannot."""

    def follow(
        self, state: NodeState, seqs: frozenset[int], sender: str, now: datetime
    ) -> Kept | None:
        """Keep a state that follows the one that this sender left before, on the same day.

        None, and nothing kept, for every other: then somebody must ask who speaks for the node.
        `seqs` are the numbers of all messages of that boot at hand, the state's own included.
        """

    def keep(self, state: NodeState, seqs: frozenset[int], sender: str, now: datetime) -> Kept:
        """Keep a node's newest state, of a sender that speaks for it, unless a newer is there."""

    def witness(self, state: NodeState, now: datetime) -> bool:
        """Keep what telemetry says of a node that no agent speaks for; False where one does.

        Nor does an older state take the place of a newer one.
        """

    def count(self, node: str, hours: Sequence[RunningHour], now: datetime) -> None:
        """Keep hours that are over; the same hour again replaces itself."""

    def turn(self, rack: str, heat: Heat, now: datetime) -> Rack:
        """Keep how hot a node is unless newer is known; return its rack."""

    def tell(self, heat: Heat) -> None:
        """Remember that a node's rack was told of its heat."""

    def mark(self, rack: str, queued_ms: int, now: datetime, *, fired: bool) -> None:
        """Remember whether a rack's signal stands, unless newer is known."""

    def settle(self, node: str, born: int) -> None:
        """Remember that the GPUs of a boot that began then need no further look."""


class Pulses(Protocol):
    """When each node of the fleet was last heard; raises Unavailable when nobody knows."""

    def listed(self) -> Sequence[Pulse]:
        """Return every node, as it was a moment ago (eventually consistent)."""

    def lift(self, node: str, quiet: Quiet) -> None:
        """Forget what was told of a silence, unless something else was told since."""


class Silent(Protocol):
    """One node's silence; raises Unavailable when nobody knows."""

    def pulse(self, node: str) -> Pulse | None:
        """Return when a node was last heard (a consistent read), None for an unknown node."""

    def state(self, node: str) -> NodeState | None:
        """Return what a node last said, None where this version cannot read it."""

    def mark(self, node: str, quiet: Quiet) -> bool:
        """Remember what is told of a silence, the first time.

        False when the node was heard since it began, or something was told of it already.
        """


class Leavers(Protocol):
    """Instances that Auto Scaling groups end; raises Unavailable when nobody knows."""

    def put(self, instance: str, now: datetime) -> None:
        """Remember for an hour that an instance ends."""

    def among(self, instances: Sequence[str]) -> frozenset[str]:
        """Return those that end (consistent reads)."""

    def recent(self) -> frozenset[str]:
        """Return all that end (eventually consistent)."""


class Checks(Protocol):
    """Brings a look at a node back later."""

    def later(self, looks: Sequence[tuple[Unheard, int]]) -> None:
        """Send delayed messages, each with its seconds; raises Unavailable unless all were sent."""


class Signals(Protocol):
    """Hands signals to the function that turns them into incidents."""

    def send(self, signals: Sequence[Signal]) -> None:
        """Send the signals; raises Unavailable unless all were taken."""
