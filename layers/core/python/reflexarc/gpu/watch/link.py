"""Links of one GPU: errors on NVLink, replays and lost lanes on PCIe. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reflexarc.events.severity import Severity
from reflexarc.gpu.watch.hold import Growth, Reading, Rule
from reflexarc.gpu.watch.model import GpuSample
from reflexarc.gpu.watch.thresholds import Thresholds

ASPECT = "link"
_CLEAR_S = 600.0
_WIDTH_S = 60.0


@dataclass(slots=True)
class Links:
    """What is remembered of one GPU's links."""

    limits: Thresholds
    _nvlink: Growth = field(init=False)
    _pcie: Growth = field(init=False)

    def __post_init__(self) -> None:
        self._nvlink = Growth(self.limits.rate_s, 1.0)
        self._pcie = Growth(self.limits.rate_s, 1.0)

    def read(self, gpu: GpuSample, seconds: float) -> Iterator[Reading]:
        """Return what this look says of each rule; nothing where the card does not tell."""
        limits = self.limits
        for name, what, count, growth, most in (
            (
                "link/nvlink-errors",
                "NVLink errors",
                gpu.nvlink_errors,
                self._nvlink,
                limits.nvlink_errors_per_min,
            ),
            (
                "link/pcie-replays",
                "PCIe replays",
                gpu.pcie_replays,
                self._pcie,
                limits.pcie_replays_per_min,
            ),
        ):
            if count is not None:
                growth.add(count, seconds)
                yield self._rate(name, what, growth.per_minute(), most)
        width, full = gpu.pcie_width, gpu.pcie_width_max
        if width is not None and full is not None and width > 0 and full > 0:
            yield Reading(
                rule=_rule("link/pcie-width", _WIDTH_S, _WIDTH_S),
                holds=width < full,
                well=width >= full,
                says=f"the PCIe link runs with {width} of {full} lanes",
                values={"pcie_width": float(width), "pcie_width_max": float(full)},
            )

    def _rate(self, name: str, what: str, rate: float | None, most: float) -> Reading:
        return Reading(
            rule=_rule(name, self.limits.rate_s, _CLEAR_S),
            holds=None if rate is None else rate > most,
            well=None if rate is None else rate <= most / 2,
            says=f"{rate or 0:.0f} {what} a minute; more than {most:g} are too many",
            values={"per_minute": round(rate or 0.0, 1)},
        )


def _rule(name: str, raise_s: float, clear_s: float) -> Rule:
    return Rule(name=name, severity=Severity.WARNING, raise_s=raise_s, clear_s=clear_s)
