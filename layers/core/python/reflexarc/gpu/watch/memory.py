"""Wear of one GPU's memory: rows given up, errors that ECC met. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reflexarc.events.severity import Severity
from reflexarc.gpu.watch.hold import Growth, Reading, Rule
from reflexarc.gpu.watch.model import GpuSample
from reflexarc.gpu.watch.thresholds import Thresholds

ASPECT = "memory"
_TWO_LOOKS = 0.5
_FLAG_CLEAR_S = 60.0
_DAY = 86_400.0
_RATE_CLEAR_S = 600.0


@dataclass(slots=True)
class Memory:
    """What is remembered of one GPU's memory."""

    limits: Thresholds
    _corrected: Growth = field(init=False)
    _uncorrected: Growth = field(init=False)
    _remaps: Growth = field(init=False)

    def __post_init__(self) -> None:
        self._corrected = Growth(self.limits.rate_s, 1.0)
        self._uncorrected = Growth(self.limits.rate_s, 1.0)
        self._remaps = Growth(_DAY, 600.0)

    def read(self, gpu: GpuSample, seconds: float) -> Iterator[Reading]:
        """Return what this look says of each rule; nothing where the card does not tell."""
        yield from _flag(
            "memory/remap-failure",
            Severity.CRITICAL,
            gpu.remap_failure,
            "the memory has no spare rows left for what fails",
        )
        yield from _flag(
            "memory/remap-pending",
            Severity.WARNING,
            gpu.remap_pending,
            "rows of the memory wait for a reset to be replaced",
        )
        yield from self._errors(gpu, seconds)
        yield from self._trend(gpu, seconds)

    def _errors(self, gpu: GpuSample, seconds: float) -> Iterator[Reading]:
        limits = self.limits
        if (count := gpu.ecc_uncorrected_volatile) is not None:
            self._uncorrected.add(count, seconds)
            grown = self._uncorrected.grown
            yield Reading(
                rule=_rule("memory/ecc-uncorrected", Severity.WARNING, 0.0, limits.ecc_clear_s),
                holds=None if grown is None else grown > 0,
                well=None if grown is None else grown == 0,
                says=f"{grown} more uncorrected memory errors, {count} since the driver started",
                values={"ecc_uncorrected_volatile": float(count), "more": float(grown or 0)},
            )
        if (count := gpu.ecc_corrected_volatile) is not None:
            self._corrected.add(count, seconds)
            rate = self._corrected.per_minute()
            most = limits.ecc_corrected_per_min
            yield Reading(
                rule=_rule(
                    "memory/ecc-corrected-rate", Severity.WARNING, limits.rate_s, _RATE_CLEAR_S
                ),
                holds=None if rate is None else rate > most,
                well=None if rate is None else rate <= most / 2,
                says=f"{rate or 0:.0f} corrected memory errors a minute; over {most:g} are many",
                values={"per_minute": round(rate or 0.0, 1)},
            )

    def _trend(self, gpu: GpuSample, seconds: float) -> Iterator[Reading]:
        if (count := gpu.remapped_uncorrectable) is None:
            return
        self._remaps.add(count, seconds)
        grown = self._remaps.grown
        yield Reading(
            rule=_rule("memory/remap-trend", Severity.WARNING, 0.0, _RATE_CLEAR_S),
            holds=None if grown is None else grown >= self.limits.remaps_per_day,
            # The window itself is the day without; a hold of a day would not outlast one gap.
            well=None if grown is None else grown == 0 and self._remaps.full,
            says=f"{grown} rows of the memory were replaced within a day, {count} in all",
            values={"remapped_uncorrectable": float(count), "more": float(grown or 0)},
        )


def _flag(name: str, severity: Severity, value: bool | None, says: str) -> Iterator[Reading]:  # noqa: FBT001
    if value is not None:
        rule = _rule(name, severity, _TWO_LOOKS, _FLAG_CLEAR_S)
        yield Reading(rule=rule, holds=value, well=not value, says=says)


def _rule(name: str, severity: Severity, raise_s: float, clear_s: float) -> Rule:
    return Rule(name=name, severity=severity, raise_s=raise_s, clear_s=clear_s)
