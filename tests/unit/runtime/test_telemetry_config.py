"""The telemetry document in force: the last good one, compiled, whatever is pushed."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.runtime.telemetry_config import PinnedTelemetry, Telemetry, parse

START = datetime(2026, 11, 24, 23, 59, 30, tzinfo=UTC)


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "action": "drop",
        "filter": {"traces": {"span": [f'name == "{name}"']}},
        "owner": "sre@example.com",
        "reason": "nobody reads it",
        "expires": "2027-03-31",
        **more,
    }


def document(*rules: dict[str, Any]) -> str:
    return json.dumps({"rules": list(rules)})


@dataclass
class FakeDocuments:
    texts: list[str] = field(default_factory=list)
    fails: bool = False
    read: list[str] = field(default_factory=list)

    def live_version(self) -> int:
        self.read.append("version")
        if self.fails:
            raise Unavailable("the table is away")
        return len(self.texts)

    def version(self, number: int) -> str | None:
        self.read.append(f"text {number}")
        return self.texts[number - 1] or None


@dataclass
class Bench:
    documents: FakeDocuments
    now: datetime = START
    problems: list[tuple[int, str]] = field(default_factory=list)

    def pinned(self) -> PinnedTelemetry:
        return PinnedTelemetry(
            self.documents,
            lambda: self.now,
            lambda version, reason: self.problems.append((version, reason)),
        )


def bench(*texts: str) -> Bench:
    return Bench(FakeDocuments(list(texts)))


def dropped(telemetry: Telemetry, name: str) -> int:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name=name)
    return telemetry.rules.apply("traces", request.SerializeToString()).account.removed


def test_without_a_document_everything_is_kept() -> None:
    current = bench().pinned().current()

    assert (current.version, current.config.rules) == (0, ())
    assert dropped(current, "a") == 0


def test_a_document_is_in_force_within_ten_seconds_and_read_once() -> None:
    desk = bench(document(rule("a")))
    pinned = desk.pinned()
    first = pinned.current()
    desk.documents.texts.append(document(rule("b")))

    desk.now += timedelta(seconds=9)
    before = pinned.current()
    desk.now += timedelta(seconds=1)
    after = pinned.current()

    assert before is first
    assert (dropped(first, "a"), dropped(after, "a"), dropped(after, "b")) == (1, 0, 1)
    assert (first.version, after.version, after.rules.version) == (1, 2, 2)
    assert desk.documents.read == ["version", "text 1", "version", "text 2"]


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{",
        document(rule("a"))[:-40],
        json.dumps({"rulez": []}),
        document(rule("b", filter={"traces": {"span": ["name =="]}})),
        document(rule("b", filter={"traces": {"span": ['IsMatch(name, "(?=x)")']}})),
    ],
)
def test_a_bad_document_changes_nothing_and_is_told_once(bad: str) -> None:
    desk = bench(document(rule("a")))
    pinned = desk.pinned()
    good = pinned.current()
    desk.documents.texts.append(bad)

    for _ in range(2):
        desk.now += timedelta(seconds=10)
        assert pinned.current() is good

    assert [version for version, _ in desk.problems] == [2]


def test_a_new_environment_looks_back_for_a_good_document() -> None:
    current = bench(document(rule("a")), "{", "").pinned().current()

    assert (current.version, dropped(current, "a")) == (1, 1)


def test_an_outage_keeps_the_last_good_document() -> None:
    desk = bench(document(rule("a")))
    pinned = desk.pinned()
    good = pinned.current()
    desk.documents.fails = True
    desk.now += timedelta(seconds=10)

    assert pinned.current() is good
    assert desk.problems == [(1, "not read, the last good one stays: the table is away")]


def test_a_rule_ends_with_its_last_day_while_the_document_stays() -> None:
    desk = bench(document(rule("a", expires="2026-11-24")))
    pinned = desk.pinned()
    last_day = pinned.current()
    desk.now += timedelta(minutes=1)
    next_day = pinned.current()

    assert (dropped(last_day, "a"), dropped(next_day, "a")) == (1, 0)
    assert next_day.version == last_day.version
    assert pinned.current() is next_day


def test_rules_that_only_a_push_would_refuse_stay_in_force() -> None:
    blinding = rule("b", filter={"logs": {"log_record": ["true"]}})
    current = bench(document(blinding)).pinned().current()

    assert current.version == 1


def test_a_refusal_names_the_first_problems() -> None:
    wrong = [rule(f"rule-{number}", action="forget") for number in range(7)]

    with pytest.raises(Rejected, match=r"rules\.0\.action: .*; and 2 more"):
        parse(document(*wrong))
