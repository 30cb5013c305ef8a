"""Heat of one GPU: margins, the hardware's own slowdown, and where a rise leads. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reflexarc.events.severity import Severity
from reflexarc.gpu.watch.hold import Reading, Rule, Slope
from reflexarc.gpu.watch.model import HW_THERMAL, GpuSample
from reflexarc.gpu.watch.thresholds import Thresholds

ASPECT = "thermal"
# One spike of a sensor is no page. A look may be seen by two ticks, so two looks take longer.
_TWO_LOOKS = 1.5
_RISING_S = 5.0
# A rise that the sensor's own steps of one degree could be is none.
_LEAST_RISE = 0.1


def rules(limits: Thresholds) -> dict[str, Rule]:
    """Return the rules of this room by their names."""
    made = (
        ("thermal/hw-slowdown", Severity.CRITICAL, limits.hw_thermal_s),
        ("thermal/limit", Severity.CRITICAL, _TWO_LOOKS),
        ("thermal/near-limit", Severity.WARNING, limits.near_s),
        ("thermal/rising", Severity.WARNING, _RISING_S),
        ("thermal/memory-limit", Severity.CRITICAL, limits.memory_limit_s),
        ("thermal/memory-near-limit", Severity.WARNING, limits.memory_near_s),
    )
    return {
        name: Rule(name=name, severity=severity, raise_s=lasts, clear_s=limits.clear_s)
        for name, severity, lasts in made
    }


@dataclass(slots=True)
class Heat:
    """What is remembered of one GPU's heat."""

    limits: Thresholds
    rules: dict[str, Rule] = field(init=False)
    _slope: Slope = field(default_factory=Slope)

    def __post_init__(self) -> None:
        self.rules = rules(self.limits)

    def read(self, gpu: GpuSample, seconds: float) -> Iterator[Reading]:
        """Return what this look says of each rule."""
        slows = None if gpu.reasons is None else bool(gpu.reasons & HW_THERMAL)
        margin = gpu.margin_c
        if margin is not None:
            self._slope.add(margin, seconds)
        # Each rule ends by the sensor that began it; the other can only hold it up.
        far = None if margin is None else margin >= self.limits.clear_margin_c
        at = "" if gpu.temperature_c is None else f" at {gpu.temperature_c:g} C"
        values = _values(gpu)
        yield Reading(
            rule=self.rules["thermal/hw-slowdown"],
            holds=slows,
            well=None if slows is None else not slows and far is not False,
            says=f"slowed down by the hardware for heat, for {self.limits.hw_thermal_s:g} s{at}",
            values=values,
        )
        cool = False if slows else far
        yield from self._margins(margin, at, values, cool=cool)
        yield from self._memory(gpu, values)

    def warms(self, gpu: GpuSample) -> bool:
        """Tell whether it is near its limit and still rising."""
        slope = self._slope.per_second()
        near = gpu.margin_c is not None and gpu.margin_c <= self.limits.together_margin_c
        return near and slope is not None and slope <= -_LEAST_RISE

    def _margins(
        self, margin: float | None, at: str, values: dict[str, float], *, cool: bool | None
    ) -> Iterator[Reading]:
        limits = self.limits
        left = None if margin is None else self._left(margin)
        leads = "" if left is None else f", the limit in {left:.0f} s if it goes on"
        shown = "" if margin is None else f"{margin:g}"
        yield Reading(
            rule=self.rules["thermal/limit"],
            holds=None if margin is None else margin <= 0,
            well=cool,
            says=f"margin {shown} C{at}: at the slowdown limit",
            values=values,
        )
        yield Reading(
            rule=self.rules["thermal/near-limit"],
            holds=None if margin is None else margin <= limits.near_margin_c,
            well=cool,
            says=f"margin {shown} C, {limits.near_margin_c:g} or less for {limits.near_s:g} s{at}",
            values=values,
        )
        yield Reading(
            rule=self.rules["thermal/rising"],
            holds=None if margin is None else left is not None,
            well=cool,
            says=f"margin {shown} C{at} and rising{leads}",
            values=values if left is None else {**values, "limit_in_s": round(left, 1)},
        )

    def _left(self, margin: float) -> float | None:
        """Return the seconds until the limit, where it is near enough to say."""
        slope = self._slope.per_second()
        if slope is None or slope > -_LEAST_RISE or not 0 < margin <= self.limits.rising_margin_c:
            return None
        left = margin / -slope
        return left if left <= self.limits.rising_within_s else None

    def _memory(self, gpu: GpuSample, values: dict[str, float]) -> Iterator[Reading]:
        limits, margin = self.limits, gpu.memory_margin_c
        if margin is None:
            return
        well = margin >= limits.clear_margin_c
        at = "" if gpu.memory_c is None else f" at {gpu.memory_c:g} C"
        for name, most, lasts in (
            ("thermal/memory-limit", 0.0, limits.memory_limit_s),
            ("thermal/memory-near-limit", limits.memory_near_margin_c, limits.memory_near_s),
        ):
            yield Reading(
                rule=self.rules[name],
                holds=margin <= most,
                well=well,
                says=f"memory margin {margin:g} C, {most:g} or less for {lasts:g} s{at}",
                values=values,
            )


def _values(gpu: GpuSample) -> dict[str, float]:
    named = {
        "temperature_c": gpu.temperature_c,
        "margin_c": gpu.margin_c,
        "memory_c": gpu.memory_c,
        "memory_margin_c": gpu.memory_margin_c,
        "power_w": gpu.power_w,
    }
    return {name: float(value) for name, value in named.items() if value is not None}
