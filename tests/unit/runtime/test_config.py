"""The configuration in force: the last good document, whatever is pushed."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.runtime.config import PinnedConfiguration, parse

START = datetime(2026, 11, 24, tzinfo=UTC)
INCIDENTS: dict[str, object] = {
    "channels": [{"name": "night", "kind": "slack", "destination": "C0NIGHT"}],
    "routes": [{"channels": ["night"]}],
}
GOOD = {
    "gpu": {"overrides": [{"code": 94, "severity": "critical"}]},
    "incidents": INCIDENTS,
}


@dataclass
class FakeDocuments:
    texts: list[str] = field(default_factory=list)
    fails: bool = False
    reads: int = 0

    def live(self) -> tuple[int, str] | None:
        self.reads += 1
        if self.fails:
            raise Unavailable("the table is away")
        return (len(self.texts), self.texts[-1]) if self.texts else None

    def version(self, number: int) -> str | None:
        return self.texts[number - 1] if number <= len(self.texts) else None


@dataclass
class Bench:
    documents: FakeDocuments = field(default_factory=FakeDocuments)
    now: datetime = START
    problems: list[str] = field(default_factory=list)

    def pinned(self) -> PinnedConfiguration:
        return PinnedConfiguration(
            self.documents, lambda: self.now, lambda _version, reason: self.problems.append(reason)
        )


def test_without_a_document_the_built_in_routing_holds() -> None:
    routing = Bench().pinned().current().routing("C0DEFAULT")

    assert [channel.destination for channel in routing.channels if channel.kind == "slack"] == [
        "C0DEFAULT"
    ]


def test_a_pushed_document_is_in_force_within_ten_seconds() -> None:
    bench = Bench()
    pinned = bench.pinned()
    pinned.current()
    bench.documents.texts.append(json.dumps(GOOD))

    bench.now += timedelta(seconds=9)
    before = pinned.current().gpu.overrides
    bench.now += timedelta(seconds=1)
    after = pinned.current().gpu.overrides

    assert (before, [override.code for override in after]) == ((), [94])
    assert bench.documents.reads == 2


@pytest.mark.parametrize("bad", ["{", "[]", '{"gpu": {"overides": []}}'])
def test_a_bad_document_changes_nothing_and_is_told_once(bad: str) -> None:
    bench = Bench(FakeDocuments([json.dumps(GOOD)]))
    pinned = bench.pinned()
    pinned.current()
    bench.documents.texts.append(bad)

    for _ in range(3):
        bench.now += timedelta(seconds=10)
        assert [override.code for override in pinned.current().gpu.overrides] == [94]

    assert len(bench.problems) == 1


def test_a_new_environment_that_meets_a_bad_document_looks_back_for_a_good_one() -> None:
    bench = Bench(FakeDocuments([json.dumps(GOOD), "{", "{"]))

    assert [override.code for override in bench.pinned().current().gpu.overrides] == [94]


def test_an_outage_of_the_table_keeps_the_last_good_document() -> None:
    bench = Bench(FakeDocuments([json.dumps(GOOD)]))
    pinned = bench.pinned()
    pinned.current()
    bench.documents.fails = True
    bench.now += timedelta(seconds=10)

    assert [override.code for override in pinned.current().gpu.overrides] == [94]
    assert bench.problems == ["not read, the last good one stays: the table is away"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"routes": [{"channels": ["day"]}]}, "day"),
        ({"channels": []}, "channels"),
        ({"routes": [{"channels": ["night"], "match": {"severity": ["fatal"]}}]}, "severity"),
    ],
)
def test_a_refusal_names_the_place_and_the_problem(change: dict[str, object], says: str) -> None:
    document = {**GOOD, "incidents": {**INCIDENTS, **change}}

    with pytest.raises(Rejected, match=says):
        parse(json.dumps(document))
