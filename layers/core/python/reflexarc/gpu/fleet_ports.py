"""What the readings' side of the gpu slice needs from the outside world."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reflexarc.events.signal import Signal
from reflexarc.gpu.fleet_rack import Heat
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

    def count(self, node: str, hours: Sequence[RunningHour], now: datetime) -> None:
        """Keep hours that are over; the same hour again replaces itself."""

    def turn(self, rack: str, heat: Heat, now: datetime) -> Rack:
        """Keep how hot a node is unless newer is known; return its rack."""

    def tell(self, heat: Heat) -> None:
        """Remember that a node's rack was told of its heat."""

    def mark(self, rack: str, queued_ms: int, now: datetime, *, fired: bool) -> None:
        """Remember whether a rack's signal stands, unless newer is known."""


class Signals(Protocol):
    """Hands signals to the function that turns them into incidents."""

    def send(self, signals: Sequence[Signal]) -> None:
        """Send the signals; raises Unavailable unless all were taken."""
