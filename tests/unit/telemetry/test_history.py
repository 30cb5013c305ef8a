"""What rules did in the last day and week."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.accounting import Row, entry_of
from reflexarc.telemetry.backends import Backend
from reflexarc.telemetry.history import DAY, WEEK, Span, Sum, history
from reflexarc.telemetry.model import Account, RuleCount
from tests.support.rule_writing import NOON

NOW = NOON + timedelta(minutes=20)


def backend(price: str | None, *signals: OtlpSignal) -> Backend:
    document = {"name": f"b{price or 0}".replace(".", "-"), "endpoint": "https://otlp.example"}
    return Backend.model_validate(document | {"usd_per_gb": price, "signals": signals})


def rows(at: datetime, signal: OtlpSignal = "traces", version: int = 1, **counts: Any) -> list[Row]:
    size = counts.pop("size", 1_000_000_000)
    count = RuleCount(rule="r", action="drop", matched=4, removed=3, size=size, **counts)
    account = Account(
        signal=signal, version=version, received=10, received_size=9, kept=7, kept_size=5,
        rules=(count,), guards={"errors": 2}, redacted={"email": 5},
    )  # fmt: skip
    entry = entry_of("id", at, account, (), rules=1)
    return [
        Row(hour=entry.hour, signal=signal, version=version, name=name, numbers=numbers)
        for name, numbers in entry.rows.items()
    ]


def test_a_day_is_part_of_the_week_and_versions_are_summed() -> None:
    past = history(
        [
            *rows(NOON),
            *rows(NOON - timedelta(hours=23), version=2, guarded=1),
            *rows(NOON - timedelta(days=3), "logs"),
        ],
        [backend("0.5", "traces", "logs")],
        NOW,
    )

    assert past[DAY].of("r").numbers["removed"] == 6
    assert past[WEEK].of("r").numbers["removed"] == 9
    assert past[WEEK].of("r").numbers["guarded"] == 1
    assert (past[WEEK].received, past[WEEK].kept, past[WEEK].received_size) == (30, 21, 27)
    assert (past[DAY].guards, past[DAY].redacted) == ({"errors": 4}, {"email": 10})
    assert past[DAY].of("r").usd == Decimal(1)
    assert past[WEEK].of("r").usd == Decimal("1.5")


def test_what_is_older_does_not_count() -> None:
    past = history(rows(NOON - timedelta(days=7, hours=1)), [], NOW)

    assert past[WEEK] == Span()
    assert past[WEEK].of("r") == Sum()


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    known, unknown = backend("0.5", "traces"), backend(None, "logs")
    both = [*rows(NOON), *rows(NOON, "logs")]

    assert history(both, [known, unknown], NOW)[DAY].of("r").usd is None
    assert history(rows(NOON), [known, unknown], NOW)[DAY].of("r").usd == Decimal("0.5")
    assert history(rows(NOON), [], NOW)[DAY].of("r").usd is None


def test_what_saved_nothing_needs_no_price() -> None:
    assert history(rows(NOON, size=0), [], NOW)[DAY].of("r").usd == Decimal(0)
