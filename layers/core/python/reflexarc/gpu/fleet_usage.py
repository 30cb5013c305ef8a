"""What the fleet wasted in a day, from the hours of its GPUs. Pure.

An hour is told by each run of an agent on its own: one (device, hour, run) counts once, as it was
last told; runs of one hour add up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal

from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.readings import RunningHour

_HOUR_S = 3_600
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """How long a GPU was idle, and how long while a job held it.

    `dollars` is None where the GPU has no price: unknown is not free.
    """

    observed_s: float = 0.0
    idle_s: float = 0.0
    allocated_idle_s: float = 0.0
    dollars: Decimal | None = None


def wasted(hours: Iterable[RunningHour], day: date, name: str, policy: GpuPolicy) -> Waste:
    """Return what one GPU wasted on a day of UTC; `name` finds its price."""
    told: dict[tuple[object, object], RunningHour] = {}
    for hour in hours:
        key = (hour.hour, hour.since)
        if hour.hour.astimezone(UTC).date() == day:
            known = told.get(key)
            if known is None or known.observed_s <= hour.observed_s:
                told[key] = hour
    allocated = sum(hour.allocated_idle_s for hour in told.values())
    price = policy.price_of(name)
    return Waste(
        observed_s=sum(hour.observed_s for hour in told.values()),
        idle_s=sum(hour.idle_s for hour in told.values()),
        allocated_idle_s=allocated,
        dollars=None if price is None else _dollars(price, allocated),
    )


def _dollars(price: Decimal, seconds: float) -> Decimal:
    return (price * Decimal(str(seconds)) / _HOUR_S).quantize(_CENT)
