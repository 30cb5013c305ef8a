"""When nobody hears a node any more: what to look at, what it means, and when it is over. Pure.

A tick a minute lists the fleet and plans a look at each node that may cross the threshold before
the next tick; the look reads the node's row at that moment, so one lost heartbeat tells nobody.
What was told stands in the row as a `Quiet`, tied to when the node was last heard: whatever is
heard later makes it a thing of the past, and the next tick says so.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal, cast, get_args

from reflexarc.events.fleet import Unheard
from reflexarc.kernel.clock import epoch_ms, from_epoch_ms

# Two heartbeats and the window in which a batch gathers, rounded up.
SILENT_AFTER = timedelta(seconds=150)
TICK = timedelta(seconds=60)
# Who is older than this at a tick crosses the threshold before the next one. A node that speaks
# is seen at most 80 s old, so a healthy fleet plans no looks.
LATE_AFTER = SILENT_AFTER - TICK
# Heartbeats are a minute apart give or take a little: when the first node of a dead rack is looked
# at, the one that spoke last must be late as well.
SETTLE = timedelta(seconds=5)
# Who fell silent so much earlier has an incident of its own and says nothing about its rack.
TOGETHER = timedelta(minutes=10)
# A rack holds fewer nodes; a label that more share names something else, and explains nothing.
RACK_MAX = 128
# Nodes elsewhere that are looked at as well: one may have fallen silent too, by chance.
WITNESSES = 3

# Whose the state of a node is that only telemetry tells of. It lags as its forwarder does, so that
# nobody is called when it stops.
WITNESS = "telemetry"

# A rack is told of by one of its nodes' looks; to the others' looks it is done.
Told = Literal["node", "rack", "peer", ""]
_OF_RACKS = frozenset({"rack", "peer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """What was told of the silence since a moment: of the node, of its rack, or nothing to tell."""

    heard_ms: int
    told: Told
    rack: str = ""

    @property
    def text(self) -> str:
        """Return it as a row holds it."""
        return f"{self.of_this_silence}{self.told}|{self.rack}"

    @property
    def of_this_silence(self) -> str:
        """Return how every text about the same silence of a node begins."""
        return f"{self.heard_ms}|"


def quiet_of(text: str) -> Quiet | None:
    """Return what a row's text says, None where it says nothing."""
    heard, _, rest = text.partition("|")
    told, _, rack = rest.partition("|")
    if not heard.isdigit() or told not in get_args(Told):
        return None
    return Quiet(heard_ms=int(heard), told=cast("Told", told), rack=rack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """When a node was last heard, and what is known of why it may be quiet."""

    node: str
    heard_ms: int
    sender: str = ""
    rack: str = ""
    gone: bool = False
    """It said farewell."""
    quiet: Quiet | None = None

    @property
    def told(self) -> Quiet | None:
        """Return what was told of the silence that lasts, None for none."""
        quiet = self.quiet
        return quiet if quiet is not None and quiet.heard_ms == self.heard_ms else None

    def age(self, now: datetime) -> timedelta:
        """Return how long ago the node was heard."""
        return timedelta(milliseconds=epoch_ms(now) - self.heard_ms)

    def left(self, leavers: Collection[str]) -> bool:
        """Return whether it ends as planned: it said farewell, or its instance is being ended."""
        return self.gone or instance_of(self.sender) in leavers


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A look to plan, and how many seconds from now."""

    unheard: Unheard
    delay_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A silence that was told and is over, of a node or of a rack; `pulses` hold its marks."""

    node: str
    rack: str
    pulses: tuple[Pulse, ...]
    leavers: frozenset[str]
    """Nodes that did not speak again, but left."""

    @property
    def seq(self) -> int:
        """Return its place in the history: after the silence, and not after the next one."""
        return max(each.heard_ms + (each.told is not None) for each in self.pulses)

    @property
    def marks(self) -> tuple[tuple[str, Quiet], ...]:
        """Return the nodes, each with what its row says was told."""
        return tuple((each.node, _quiet(each)) for each in self.pulses)


def instance_of(sender: str) -> str:
    """Return the EC2 instance that a SenderId `role id:session` may be of, empty for none."""
    return sender.partition(":")[2]


def silences(pulses: Sequence[Pulse], now: datetime) -> tuple[Check, ...]:
    """Return the looks to plan: at nodes that may be silent before the next tick.

    Instances that are being ended are looked at too: what is found out then is remembered for
    longer than their ends are.
    """
    pulses = [each for each in pulses if each.sender != WITNESS]
    racks = _racks(each for each in pulses if not each.gone)
    freshest = sorted(
        (each for each in pulses if not each.gone), key=lambda each: (-each.heard_ms, each.node)
    )
    return tuple(
        _check(each, racks, freshest, now)
        for each in pulses
        if each.told is None and not each.gone and each.age(now) >= LATE_AFTER
    )


def endings(pulses: Sequence[Pulse], leavers: Collection[str]) -> tuple[Ended, ...]:
    """Return the silences that are over: the node was heard again, or left as planned.

    A rack's is over when all its nodes that were silent speak again or left, so that one that
    comes back sooner does not make each of the others a matter of its own.
    """
    marked = [each for each in pulses if each.quiet is not None and each.quiet.told]
    nodes = [
        Ended(node=each.node, rack="", pulses=(each,), leavers=_still((each,)))
        for each in marked
        if _quiet(each).told == "node" and _over(each, leavers)
    ]
    racks: dict[str, list[Pulse]] = {}
    for each in marked:
        if _quiet(each).told in _OF_RACKS:
            racks.setdefault(_quiet(each).rack, []).append(each)
    return (
        *nodes,
        *(
            Ended(node="", rack=rack, pulses=tuple(group), leavers=_still(group))
            for rack, group in racks.items()
            if all(_over(each, leavers) for each in group)
        ),
    )


def verdict_on(
    pulse: Pulse, peers: Iterable[Pulse], leavers: Collection[str], now: datetime
) -> Quiet | None:
    """Return what to tell of a node that is looked at, None while there is nothing to say.

    What was decided before is decided again, so a look that is repeated tells the same.
    """
    if pulse.told is not None:
        return pulse.told
    if pulse.left(leavers):
        return Quiet(heard_ms=pulse.heard_ms, told="")
    if pulse.age(now) < SILENT_AFTER:
        return None
    peers = tuple(peers)
    live = [each for each in peers if _counts(each, pulse, leavers)]
    dead = bool(live) and all(each.age(now) >= LATE_AFTER for each in live)
    if dead and not any(_is_old(each, pulse) for each in peers):
        return Quiet(heard_ms=pulse.heard_ms, told="rack", rack=pulse.rack)
    return Quiet(heard_ms=pulse.heard_ms, told="node")


def silent_of(
    pulse: Pulse, peers: Iterable[Pulse], leavers: Collection[str], now: datetime
) -> tuple[Pulse, ...]:
    """Return the nodes of a silent rack that count, the first to fall silent first."""
    silent = [
        each for each in peers if _counts(each, pulse, leavers) and each.age(now) >= LATE_AFTER
    ]
    return tuple(sorted((pulse, *silent), key=lambda each: (each.heard_ms, each.node)))


def is_deaf(witnesses: Collection[Pulse], now: datetime) -> bool:
    """Return whether nodes elsewhere are silent too: then it may be we who hear nothing."""
    return bool(witnesses) and all(each.age(now) >= LATE_AFTER for each in witnesses)


def _check(
    pulse: Pulse, racks: Mapping[str, list[str]], freshest: Iterable[Pulse], now: datetime
) -> Check:
    rest = SILENT_AFTER + SETTLE - pulse.age(now)
    peers = [name for name in racks.get(pulse.rack, ()) if name != pulse.node]
    elsewhere = (
        each.node
        for each in freshest
        if each.node != pulse.node and (not pulse.rack or each.rack != pulse.rack)
    )
    return Check(
        unheard=Unheard(
            node=pulse.node,
            heard_at=from_epoch_ms(pulse.heard_ms),
            rack=pulse.rack,
            peers=tuple(peers) if len(peers) < RACK_MAX else (),
            witnesses=tuple(islice(elsewhere, WITNESSES)),
        ),
        delay_s=max(0, math.ceil(rest.total_seconds())),
    )


def _racks(pulses: Iterable[Pulse]) -> Mapping[str, list[str]]:
    racks: dict[str, list[str]] = {}
    for each in pulses:
        if each.rack:
            racks.setdefault(each.rack, []).append(each.node)
    return racks


def _counts(peer: Pulse, pulse: Pulse, leavers: Collection[str]) -> bool:
    """Return whether a peer says anything about the rack: it lives, or fell silent just now."""
    if peer.rack != pulse.rack or peer.left(leavers):
        return False
    if peer.told is None:
        return True
    since = timedelta(milliseconds=pulse.heard_ms - peer.heard_ms)
    return bool(peer.told.told) and since <= TOGETHER


def _is_old(peer: Pulse, pulse: Pulse) -> bool:
    """Return whether a peer is left of an earlier silence of the rack, which is told still.

    To say of a rack again what stands open of it would call nobody: its nodes are told of then.
    """
    told = peer.told
    if told is None or told.told not in _OF_RACKS or told.rack != pulse.rack:
        return False
    return timedelta(milliseconds=pulse.heard_ms - peer.heard_ms) > TOGETHER


def _over(pulse: Pulse, leavers: Collection[str]) -> bool:
    return pulse.told is None or pulse.left(leavers)


def _still(pulses: Iterable[Pulse]) -> frozenset[str]:
    return frozenset(each.node for each in pulses if each.told is not None)


def _quiet(pulse: Pulse) -> Quiet:
    return cast("Quiet", pulse.quiet)
