"""What rules save, in money: the bytes that they took away at the price of each backend. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from reflexarc.telemetry.accounting import Tally
from reflexarc.telemetry.backends import Backend

GB = Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What was not paid. `unknown` names the backends whose price nobody gave: never $0."""

    size: int
    usd: Decimal | None
    unknown: tuple[str, ...] = field(default=())


def saved(tally: Tally, backends: Sequence[Backend]) -> Mapping[str, Saved]:
    """Return what each rule saved at the backends that would have taken what it took away.

    `usd` is None where no price is known; where some are, it is their sum.
    """
    takers = [backend for backend in backends if backend.takes(tally.signal)]
    prices = [backend.usd_per_gb for backend in takers if backend.usd_per_gb is not None]
    unknown = tuple(backend.name for backend in takers if backend.usd_per_gb is None)
    a_gb = sum(prices, Decimal(0)) if prices else None
    return {
        rule.rule: Saved(
            size=rule.numbers["size"],
            usd=None if a_gb is None else rule.numbers["size"] / GB * a_gb,
            unknown=unknown,
        )
        for rule in tally.rules.values()
    }
