"""What a backend must hold, and how what it holds differs from that."""

import json
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from reflexarc.emulator import telemetry
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.telemetry_due import Compared, Due, compared, due_of, ids_of
from reflexarc.emulator.traffic import Export, Services
from reflexarc.runtime.telemetry_config import parse
from reflexarc.telemetry.config import TelemetryConfig
from tests.support.otlp import span, traces

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 24, 3, 12, 7, tzinfo=UTC)
A, B, C = (bytes([number]) * 24 for number in (1, 2, 3))
EXACT = Compared(lost=0, doubled=0, unwanted=0)


def samples(today: date) -> TelemetryConfig:
    return parse(json.dumps(telemetry.document(ROOT, "http://127.0.0.1:1/otlp/vendor", today)))


def test_the_sample_rules_take_from_every_signal_and_leave_some() -> None:
    exports = list(Services(random.Random(1), NOW).exports())

    due = due_of(samples(NOW.date()), exports, NOW.date())

    assert due.sent.keys() == {"traces", "metrics", "logs"}
    assert all(0 < due.kept[signal] < sent for signal, sent in due.sent.items())
    assert due.spans.total() == len(due.spans) == due.kept["traces"]


def test_the_sample_is_played_after_its_rules_have_expired() -> None:
    later = date(2031, 1, 1)

    config = samples(later)

    assert {rule.expires for rule in config.rules} == {later + timedelta(days=30)}
    assert [each.headers for each in config.backends] != [{}]


def test_rules_that_are_not_there_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(LaneUnavailable, match="sample rules"):
        telemetry.document(tmp_path, "http://127.0.0.1:1", NOW.date())


def test_without_a_rule_every_span_is_due() -> None:
    payload = traces(span(1), span(2))

    due = due_of(TelemetryConfig(), [Export("traces", payload)], NOW.date())

    assert (due.sent["traces"], due.kept["traces"]) == (2, 2)
    assert due.spans == Counter(ids_of(payload))


def due(*spans: bytes, points: int = 0) -> Due:
    made = Due(spans=Counter(spans))
    made.kept.update({"traces": len(spans), "metrics": points})
    return made


@pytest.mark.parametrize(
    ("held", "points", "differs"),
    [
        ((A, B), 3, EXACT),
        ((A,), 3, Compared(lost=1, doubled=0, unwanted=0)),
        ((A, B, B, B), 3, Compared(lost=0, doubled=2, unwanted=0)),
        ((A, B, C, C), 3, Compared(lost=0, doubled=0, unwanted=2)),
        ((A, A, C), 3, Compared(lost=1, doubled=1, unwanted=1)),
        ((A, B), 1, Compared(lost=2, doubled=0, unwanted=0)),
        ((A, B), 4, Compared(lost=0, doubled=1, unwanted=0)),
    ],
)
def test_what_is_missing_doubled_or_not_wanted_is_told_apart(
    held: tuple[bytes, ...], points: int, differs: Compared
) -> None:
    assert compared(due(A, B, points=3), {"metrics": points}, Counter(held)) == differs


def test_what_never_came_is_lost() -> None:
    assert compared(due(A, points=2), {}, Counter()) == Compared(lost=3, doubled=0, unwanted=0)
