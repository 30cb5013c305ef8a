"""The configuration in force: the last good document, whatever is pushed."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from reflexarc.events.page import Silence
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.runtime.config import PinnedConfiguration, parse
from tests.support.policy import silence

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
class FakeSilences:
    there: tuple[Silence, ...] = ()
    fails: bool = False
    asked: list[datetime] = field(default_factory=list)

    def active(self, now: datetime) -> tuple[Silence, ...]:
        self.asked.append(now)
        if self.fails:
            raise Unavailable("the table is away")
        return self.there


@dataclass
class Bench:
    documents: FakeDocuments = field(default_factory=FakeDocuments)
    silences: FakeSilences = field(default_factory=FakeSilences)
    now: datetime = START
    problems: list[str] = field(default_factory=list)

    def pinned(self) -> PinnedConfiguration:
        return PinnedConfiguration(
            self.documents,
            lambda: self.now,
            lambda _version, reason: self.problems.append(reason),
            self.silences,
        )


def test_without_a_document_the_built_in_policy_holds() -> None:
    policy = Bench().pinned().policy("C0DEFAULT")

    assert [channel.destination for channel in policy.channels if channel.kind == "slack"] == [
        "C0DEFAULT"
    ]


def test_with_a_document_its_channels_hold() -> None:
    policy = Bench(FakeDocuments([json.dumps(GOOD)])).pinned().policy("C0DEFAULT")

    assert [channel.destination for channel in policy.channels] == ["C0NIGHT"]


@pytest.mark.parametrize("documents", [[], [json.dumps(GOOD)]])
def test_silences_hold_within_ten_seconds_with_and_without_a_document(
    documents: list[str],
) -> None:
    bench = Bench(FakeDocuments(documents))
    pinned = bench.pinned()
    pinned.policy("C1")
    bench.silences.there = (silence(),)

    bench.now += timedelta(seconds=9)
    before = pinned.policy("C1").silences
    bench.now += timedelta(seconds=1)
    after = pinned.policy("C1").silences

    assert (before, after) == ((), (silence(),))
    assert bench.silences.asked == [START, START + timedelta(seconds=10)]


def test_an_outage_keeps_the_last_silences() -> None:
    bench = Bench(silences=FakeSilences((silence(),)))
    pinned = bench.pinned()
    pinned.policy("C1")
    bench.silences.fails = True
    bench.now += timedelta(seconds=10)

    assert pinned.policy("C1").silences == (silence(),)
    assert bench.problems == ["silences not read, the last ones stay: the table is away"]


def test_while_silences_were_never_read_people_are_told() -> None:
    assert Bench(silences=FakeSilences(fails=True)).pinned().policy("C1").silences == ()


def test_who_needs_no_silences_reads_none() -> None:
    bench = Bench()

    bench.pinned().current()

    assert bench.silences.asked == []


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
        ({"routes": [{"channels": ["day"]}]}, "incidents.routes.0.channels.0: .*no channel day"),
        ({"channels": []}, "incidents.channels: there is no channel"),
        ({"routes": [{"channels": ["night"], "during": "x"}]}, "incidents.routes.0.during: .*x"),
        ({"routes": [{"channels": ["night"], "match": {"severity": ["fatal"]}}]}, "severity"),
    ],
)
def test_a_refusal_names_the_place_and_the_problem(change: dict[str, object], says: str) -> None:
    document = {**GOOD, "incidents": {**INCIDENTS, **change}}

    with pytest.raises(Rejected, match=says):
        parse(json.dumps(document))


def test_what_only_a_push_asks_for_does_not_throw_out_a_live_document() -> None:
    over = {"name": "m", "match": {}, "reason": "r", "ends": "2020-01-01T00:00:00Z"}
    hours = [{"name": "h", "timezone": "Nope/Zone"}]

    found = parse(json.dumps({"incidents": INCIDENTS | {"maintenance": [over], "hours": hours}}))

    assert found.incidents is not None
