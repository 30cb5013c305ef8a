from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from reflexarc.adapters.memory.telemetry_rules import MemorySketches
from reflexarc.kernel.errors import Unavailable
from reflexarc.telemetry.cardinality import (
    SAMPLED,
    WRITTEN_EVERY_S,
    Cardinality,
    Gathered,
    estimate,
    is_sampled,
    joined,
)
from tests.support.otlp import NOW, gauge, metrics

HOUR = datetime(2026, 11, 24, 3, tzinfo=UTC)
SAMPLED_ID = next(str(number) for number in range(1_000) if is_sampled(str(number)))
OTHER_ID = next(str(number) for number in range(1_000) if not is_sampled(str(number)))


def users(begin: int, end: int) -> bytes:
    points = ((1.0, {"user": f"user-{number}", "plan": "pro"}) for number in range(begin, end))
    return metrics(gauge("http.requests", *points), Metric(name="empty"))


def counted(gathered: Gathered) -> dict[str, int]:
    return {
        name: estimate(sketch)
        for sketches in gathered.take().values()
        for name, sketch in sketches.items()
    }


def test_one_batch_in_ten_is_looked_at_and_always_the_same() -> None:
    chosen = [is_sampled(f"batch-{number}") for number in range(10_000)]

    assert abs(sum(chosen) - 10_000 / SAMPLED) < 150
    assert chosen == [is_sampled(f"batch-{number}") for number in range(10_000)]


def test_values_of_each_attribute_are_counted_about() -> None:
    gathered = Gathered()

    gathered.look(users(0, 5_000), HOUR)

    found = counted(gathered)
    assert found["user"] == pytest.approx(5_000, rel=0.1)
    assert found["plan"] == 1


def test_a_batch_that_comes_twice_changes_nothing() -> None:
    once, twice = Gathered(), Gathered()
    once.look(users(0, 300), HOUR)
    for _ in range(2):
        twice.look(users(0, 300), HOUR)

    assert counted(once) == counted(twice)


def test_sketches_of_two_functions_join_to_what_one_would_have_seen() -> None:
    one, other, both = Gathered(), Gathered(), Gathered()
    one.look(users(0, 2_000), HOUR)
    other.look(users(1_000, 3_000), HOUR)
    both.look(users(0, 3_000), HOUR)

    key = HOUR, "http.requests"
    join = joined(one.take()[key]["user"], other.take()[key]["user"])

    assert estimate(join) == pytest.approx(estimate(both.take()[key]["user"]), rel=0.02)


def test_an_explosion_of_attributes_does_not_become_one_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reflexarc.telemetry.cardinality.SKETCHES_MAX", 3)
    wide = metrics(gauge("a", (1.0, {f"k{number}": 1 for number in range(10)})))
    gathered = Gathered()

    gathered.look(wide, HOUR)

    assert (gathered.number, gathered.left_out) == (3, 7)


@dataclass
class Now:
    """A clock that the test sets."""

    seconds: float = 0.0
    said: list[str] = field(default_factory=list)

    def __call__(self) -> float:
        return self.seconds


def test_what_is_gathered_is_written_once_a_minute_at_most() -> None:
    now, sketches = Now(), MemorySketches(joined)
    watch = Cardinality(sketches=sketches, monotonic=now, lost=now.said.append)
    watch.look(SAMPLED_ID, users(0, 10), NOW)
    watch.look(OTHER_ID, users(500, 900), NOW)

    watch.flush()
    assert sketches.kept == {}
    now.seconds += WRITTEN_EVERY_S
    watch.flush()
    watch.flush()

    assert estimate(sketches.kept[HOUR, "http.requests"]["user"]) == 10


def test_sketches_that_cannot_be_written_are_told_of_and_hold_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise Unavailable("throttled")

    now, sketches = Now(), MemorySketches(joined)
    watch = Cardinality(sketches=sketches, monotonic=now, lost=now.said.append)
    watch.flush()
    watch.look(SAMPLED_ID, users(0, 10), NOW)
    monkeypatch.setattr(MemorySketches, "merge", fail)
    now.seconds += WRITTEN_EVERY_S

    watch.flush()

    assert now.said == ["throttled"]
