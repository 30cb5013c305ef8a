"""Ports of the fabric: one that was up and is down, one that goes up and down. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reflexarc.events.severity import Severity
from reflexarc.gpu.watch.hold import Growth, Reading, Rule
from reflexarc.gpu.watch.model import PortSample
from reflexarc.gpu.watch.thresholds import Thresholds

ASPECT = "network"
UP = "ACTIVE"
_FLAPS = 3


@dataclass(slots=True)
class Port:
    """What is remembered of one port. One that was never up is not in use, and no fault."""

    limits: Thresholds
    was_up: bool = False
    _downs: Growth = field(init=False)

    def __post_init__(self) -> None:
        self._downs = Growth(self.limits.flap_window_s, 1.0)

    def read(self, port: PortSample | None, seconds: float) -> Iterator[Reading]:
        """Return what this look says; None is a port that is not there while others are."""
        up = port is not None and port.state == UP
        self.was_up = self.was_up or up
        if self.was_up:
            state = "gone" if port is None else port.state or "unknown"
            yield Reading(
                rule=Rule(
                    name="network/port-down",
                    severity=Severity.CRITICAL,
                    raise_s=self.limits.port_down_s,
                    clear_s=self.limits.port_clear_s,
                ),
                holds=not up,
                well=up,
                says=f"the port was ACTIVE and is {state}, for {self.limits.port_down_s:g} s",
            )
        downs = None if port is None else port.counters.get("link_downed")
        if downs is not None:
            self._downs.add(downs, seconds)
            grown = self._downs.grown
            minutes = self.limits.flap_window_s / 60
            yield Reading(
                rule=Rule(
                    name="network/port-flapping",
                    severity=Severity.WARNING,
                    raise_s=0.0,
                    clear_s=self.limits.port_clear_s,
                ),
                holds=None if grown is None else grown >= _FLAPS,
                well=None if grown is None else grown == 0,
                says=f"the link went down {grown} times in {minutes:g} minutes",
                values={"link_downed": float(downs)},
            )
