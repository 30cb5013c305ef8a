"""Nobody hears a node: the watchdog's look at the fleet, and the look at one node that follows.

The look writes what it is about to tell into the node's row, on the condition that nothing was
heard since; only then it tells. So a node that speaks at that very moment is not told of, and what
was told is remembered whatever dies.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import ValidationError

from reflexarc.events.fleet import Leaving, Unheard
from reflexarc.events.problems import first_of, problems_of
from reflexarc.events.signal import Signal
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.fleet_ports import Checks, Leavers, Pulses, Signals, Silent
from reflexarc.gpu.fleet_silence import (
    Pulse,
    Quiet,
    endings,
    instance_of,
    is_deaf,
    silences,
    silent_of,
    verdict_on,
)
from reflexarc.gpu.silence_signals import DEAF, is_over, node_is_silent, rack_is_silent
from reflexarc.kernel.clock import Clock, epoch_ms
from reflexarc.kernel.errors import Rejected

UNHEARD, LEAVING = "unheard/1", "leaving/1"
_PROBLEMS_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceWatch:
    """What the watchdog does a minute: plan looks at late nodes, and end silences that are over."""

    pulses: Pulses
    leavers: Leavers
    checks: Checks
    signals: Signals

    def look(self, now: datetime) -> int:
        """List the fleet once; return how many looks and endings came of it.

        Raises Unavailable when a store or a queue does not answer.
        """
        pulses = self.pulses.listed()
        found = silences(pulses, now)
        self.checks.later([(check.unheard, check.delay_s) for check in found])
        over = endings(pulses, self._leavers(pulses))
        for ended in over:
            # Told before it is forgotten: what dies between tells the same again.
            self.signals.send([is_over(ended, now)])
            for node, quiet in ended.marks:
                self.pulses.lift(node, quiet)
        return len(found) + len(over)

    def _leavers(self, pulses: Iterable[Pulse]) -> frozenset[str]:
        """Return the instances that are being ended; asked only while a silence stands."""
        stands = any(each.told is not None and each.told.told for each in pulses)
        return self.leavers.recent() if stands else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceChecks:
    """What messages about silence come to, wherever they are received."""

    silent: Silent
    leavers: Leavers
    policy: Callable[[], GpuPolicy]
    clock: Clock

    schemas: ClassVar[frozenset[str]] = frozenset({UNHEARD, LEAVING})

    def signals_of(self, schema: str, body: str) -> tuple[Signal, ...]:
        """Return the signals to record for one message of `schemas`.

        Raises Rejected for a message that makes no sense, Unavailable when a store does not
        answer. The same message again gives the same signals, by their ids.
        """
        try:
            if schema == LEAVING:
                leaving = Leaving.model_validate_json(body)
                self.leavers.put(leaving.instance, self.clock())
                return ()
            unheard = Unheard.model_validate_json(body)
        except ValidationError as error:
            shown = "".join(first_of(problems_of(error, "message"), _PROBLEMS_SHOWN))
            raise Rejected(f"not a message of {schema}: {shown}") from error
        return self._look(unheard)

    def _look(self, unheard: Unheard) -> tuple[Signal, ...]:
        pulse = self.silent.pulse(unheard.node)
        if pulse is None or pulse.heard_ms != epoch_ms(unheard.heard_at):
            return ()
        leavers = self.leavers.among([instance_of(pulse.sender)])
        peers: Sequence[Pulse] = ()
        if pulse.told is None or pulse.told.told == "rack":
            peers, leavers = self._peers(unheard, leavers)
        now = self.clock()
        verdict = verdict_on(pulse, peers, leavers, now)
        if verdict is None or not self._mark(pulse, verdict):
            return ()
        signals = self._signals(pulse, verdict, silent_of(pulse, peers, leavers, now), now)
        if not signals or not is_deaf(self._known(unheard.witnesses), now):
            return signals
        return tuple(each.model_copy(update={"marks": (*each.marks, DEAF)}) for each in signals)

    def _peers(
        self, unheard: Unheard, leavers: frozenset[str]
    ) -> tuple[Sequence[Pulse], frozenset[str]]:
        peers = self._known(unheard.peers)
        return peers, leavers | self.leavers.among([instance_of(each.sender) for each in peers])

    def _known(self, nodes: Iterable[str]) -> list[Pulse]:
        found = (self.silent.pulse(name) for name in nodes)
        return [each for each in found if each is not None]

    def _signals(
        self, pulse: Pulse, verdict: Quiet, silent: Sequence[Pulse], now: datetime
    ) -> tuple[Signal, ...]:
        if verdict.told in {"peer", ""}:
            return ()
        if verdict.told == "node":
            state = self.silent.state(pulse.node)
            return (node_is_silent(pulse, state, self.policy(), now),)
        for each in silent:
            self._mark(each, Quiet(heard_ms=each.heard_ms, told="peer", rack=verdict.rack))
        return (rack_is_silent(silent, self.policy(), now),)

    def _mark(self, pulse: Pulse, quiet: Quiet) -> bool:
        """Remember what is about to be told; False when that is not ours to tell any more."""
        return pulse.told is not None or self.silent.mark(pulse.node, quiet)
