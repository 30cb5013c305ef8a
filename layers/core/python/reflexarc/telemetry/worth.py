"""What telemetry costs a month, from what some time of it weighs. Unknown is never $0. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.backends import Backend
from reflexarc.telemetry.savings import GB

MONTH = timedelta(days=30)
# A month is not told from less: a batch of one second would be multiplied by 2.6 million.
SHORTEST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Worth:
    """How long a time was looked at, and what a GB costs of each signal, where that is known."""

    window: timedelta | None
    usd_per_gb: Mapping[OtlpSignal, Decimal] = field(default_factory=dict)

    def bytes_a_month(self, size: int) -> int | None:
        """Return what bytes come to in a month, None where the time is too short to say."""
        if self.window is None or self.window < SHORTEST:
            return None
        return round(size * (MONTH / self.window))

    def usd_a_month(self, signal: OtlpSignal, size: int) -> Decimal | None:
        """Return what they cost, None where the price or the time is not known."""
        price, a_month = self.usd_per_gb.get(signal), self.bytes_a_month(size)
        if price is None or a_month is None:
            return None
        return a_month / GB * price


def prices(
    backends: Iterable[Backend], stated: Decimal | None = None
) -> Mapping[OtlpSignal, Decimal]:
    """Return what a GB of each signal costs: as stated, or at all backends that take it together.

    A backend whose price nobody gave makes the sum too low, so that none is told then.
    """
    found: dict[OtlpSignal, Decimal] = {}
    takers = list(backends)
    signals: tuple[OtlpSignal, ...] = ("traces", "metrics", "logs")
    for signal in signals:
        asked = [backend.usd_per_gb for backend in takers if backend.takes(signal)]
        known = [price for price in asked if price is not None]
        if stated is not None:
            found[signal] = stated
        elif known and len(known) == len(asked):
            found[signal] = sum(known, Decimal(0))
    return found
