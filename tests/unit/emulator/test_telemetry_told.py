"""What the demo reports of its telemetry, and what it tells a person."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from reflexarc.emulator.audit import Audit
from reflexarc.emulator.report import Report, Telemetry, Witness
from reflexarc.emulator.telemetry import beside
from reflexarc.emulator.telemetry_due import Due
from reflexarc.emulator.telemetry_told import balanced, told_of
from reflexarc.emulator.telling import lines_of, verdict_of
from reflexarc.telemetry.accounting import RuleTally, Tally

A, B = b"a" * 24, b"b" * 24
WITNESS = Witness(node="node-07", xid=119, incidents=1, reports=2)


def tally(signal: Any = "traces", **numbers: int) -> Tally:
    named = {name.replace("__", "."): number for name, number in numbers.items()}
    return Tally(signal=signal, version=1, numbers=Counter(named))


SPANS = replace(
    tally(received=5, kept=2, dropped=3, received_size=500, kept_size=200, redacted__email=4),
    rules={
        "noise": RuleTally("noise", "drop", Counter(removed=3, size=300, guarded=1)),
        "reads": RuleTally("reads", "sample", Counter(shadowed=2)),
        "orders": RuleTally("orders", "keep", Counter(matched=1)),
    },
)
POINTS = replace(
    tally("metrics", received=9, aggregated=9, received_size=100, kept_size=40),
    rules={"pods": RuleTally("pods", "aggregate", Counter(removed=9, emitted=3))},
)


def due() -> Due:
    made = Due(spans=Counter({A: 1, B: 1}))
    made.sent.update({"traces": 5, "metrics": 9})
    made.kept.update({"traces": 2, "metrics": 3})
    return made


def told(
    *tallies: Tally,
    took: dict[str, int] | None = None,
    spans: tuple[bytes, ...] = (A, B),
    witness: Witness | None = WITNESS,
) -> Telemetry:
    return told_of(
        due(),
        tallies or (SPANS, POINTS),
        took or {"spans": 2, "points": 3},
        Counter(spans),
        requests=2,
        witness=witness,
    )


def test_what_arrived_as_it_should_is_exact() -> None:
    found = told()

    assert found.exact
    assert (found.sent, found.due) == ({"traces": 5, "metrics": 9}, {"traces": 2, "metrics": 3})
    assert found.held == found.due
    assert found.redacted == {"email": 4}
    assert [(rule.rule, rule.removed, rule.held_back) for rule in found.rules] == [
        ("noise", 3, 1),
        ("reads", 0, 0),
        ("orders", 0, 0),
        ("pods", 9, 0),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"spans": (A,)},
        {"spans": (A, B, B)},
        {"spans": (A, B, b"c" * 24)},
        {"took": {"spans": 2, "points": 2}},
        {"took": {"spans": 2, "points": 3, "leaks": 1}},
        {"witness": WITNESS.model_copy(update={"incidents": 2})},
        {"witness": WITNESS.model_copy(update={"reports": 1})},
    ],
)
def test_whatever_is_lost_doubled_or_let_out_is_not_exact(wrong: dict[str, Any]) -> None:
    found = told(**wrong)

    assert not found.exact
    assert not _report(found).good


@pytest.mark.parametrize(
    "tallies",
    [
        (SPANS,),
        (SPANS, tally("metrics", received=9, aggregated=8)),
        (SPANS, POINTS, tally("logs", received=1, kept=1)),
    ],
)
def test_an_account_that_is_not_of_what_was_sent_is_not_exact(tallies: tuple[Tally, ...]) -> None:
    assert not told(*tallies).exact


def test_a_signals_account_may_be_read_from_anything_that_yields() -> None:
    assert balanced(due(), iter((SPANS, POINTS)))


def test_a_demo_without_telemetry_is_as_good_as_its_pages() -> None:
    assert _report(None).good


def test_a_person_reads_what_came_what_went_and_what_arrived() -> None:
    assert list(lines_of(told())) == [
        "OTLP in 2 requests: 5 spans, 9 points; of the bytes, 40 % go on",
        "rules took: noise 3 (1 failures kept), reads (shadow) would take 2, pods 9 into 3",
        "redacted: 4 email; at the backend: 2 of 2 spans, 3 of 3 points",
        "Xid 119 of node-07 came from its agent and from Fluent Bit: one incident",
    ]
    assert "account exact" in verdict_of(told())


def test_a_person_reads_of_two_incidents_and_of_nothing() -> None:
    two = told(witness=WITNESS.model_copy(update={"incidents": 2}))
    nothing = told(tally(received=5, kept=5), witness=None)

    assert list(lines_of(two))[-1].endswith("2 incidents")
    assert [line.partition(":")[2][:9] for line in lines_of(nothing)][1:] == [
        " nothing",
        " nothing;",
    ]
    assert "account wrong" in verdict_of(nothing)


def test_work_beside_gives_its_result_or_its_error_when_asked() -> None:
    def fail() -> int:
        raise ValueError("no")

    good, bad = beside(lambda: 7), beside(fail)

    assert good() == 7
    with pytest.raises(ValueError, match="no"):
        bad()


def _report(telemetry: Telemetry | None) -> Report:
    return Report.of(Audit(alerts=(), lost=(), duplicates=()), telemetry=telemetry)
