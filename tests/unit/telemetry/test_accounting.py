from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reflexarc.telemetry.accounting import (
    NUMBERS_A_ROW,
    REST,
    ROWS_AT_ONCE,
    TOTALS,
    Entry,
    Row,
    Sent,
    entry_of,
    settled,
    tallied,
)
from reflexarc.telemetry.model import Account, RuleCount
from tests.support.otlp import NOW

HOUR = datetime(2026, 11, 24, 3, tzinfo=UTC)


def account(*rules: RuleCount, **changed: Any) -> Account:
    removed = sum(rule.removed for rule in rules)
    return Account(
        **{
            "signal": "traces",
            "version": 7,
            "received": 100,
            "received_size": 9_000,
            "kept": 100 - removed,
            "kept_size": 5_000,
            "rules": rules,
            **changed,
        }
    )


def rows_of(entry: Entry) -> list[Row]:
    return [
        Row(
            hour=entry.hour,
            signal=entry.signal,
            version=entry.version,
            name=name,
            numbers=numbers,
        )
        for name, numbers in entry.rows.items()
    ]


DROP = RuleCount(rule="health.checks", action="drop", matched=30, removed=30, size=3_000)
SAMPLE = RuleCount(rule="sampled", action="sample", matched=20, removed=10, size=1_000, guarded=2)
MERGE = RuleCount(rule="merged", action="aggregate", matched=9, removed=9, emitted=3, errors=1)
WATCH = RuleCount(rule="watched", action="keep", matched=5, shadowed=4)


def test_every_number_of_a_batch_is_told_once() -> None:
    entry = entry_of("b-1", NOW, account(DROP, SAMPLE, MERGE, WATCH), (), rules=4)

    (tally,) = tallied(rows_of(entry))

    assert (entry.id, entry.hour, entry.signal, entry.version) == ("b-1", HOUR, "traces", 7)
    assert tally.numbers == Counter(
        messages=1,
        received=100,
        received_size=9_000,
        kept=51,
        kept_size=5_000,
        dropped=30,
        sampled=10,
        aggregated=9,
        emitted=3,
        errors=1,
    )
    assert tally.balanced
    assert tally.rules["health.checks"].numbers == Counter(matched=30, removed=30, size=3_000)
    assert tally.rules["sampled"].numbers == Counter(matched=20, removed=10, size=1_000, guarded=2)
    assert {name: rule.action for name, rule in tally.rules.items()} == {
        "health.checks": "drop",
        "sampled": "sample",
        "merged": "aggregate",
        "watched": "keep",
    }


def test_guards_and_redactions_are_counted_by_their_names() -> None:
    told = account(guards={"errors": 3}, redacted={"email": 2})

    totals = entry_of("b-1", NOW, told, (), rules=0).rows[TOTALS]

    assert (totals["guard.errors"], totals["redacted.email"]) == (3, 2)


def test_what_backends_took_is_counted_by_backend() -> None:
    sent = Sent(backend="honeycomb", sent=90, sent_bytes=800, requests=1, rejected=1)
    late = Sent(backend="loki", waiting=91)

    (tally,) = tallied(rows_of(entry_of("b-1", NOW, account(), (sent, late), rules=0)))

    assert tally.backends() == {
        "honeycomb": Counter(sent=90, sent_bytes=800, requests=1, rejected=1),
        "loki": Counter(waiting=91),
    }


def test_what_waited_is_no_longer_waiting_when_it_was_taken() -> None:
    first = entry_of("b-1", NOW, account(), (Sent(backend="loki", waiting=100),), rules=0)
    later = settled("f-1", "traces", Sent(backend="loki", sent=100, waiting=-100), NOW, version=7)

    (tally,) = tallied([*rows_of(first), *rows_of(later)])

    assert tally.backends() == {"loki": Counter(sent=100, waiting=0)}
    assert tally.balanced


def test_a_message_that_came_again_says_so() -> None:
    entry = entry_of("b-1", NOW, account(), (), rules=0, again=True)

    assert entry.rows[TOTALS]["redelivered"] == 1


def test_an_hour_is_an_hour_of_utc() -> None:
    odd = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))

    assert entry_of("b-1", odd, account(), (), rules=0).hour == HOUR


def test_versions_and_signals_are_told_apart() -> None:
    entries = [
        entry_of("1", NOW, account(version=8), (), rules=0),
        entry_of("2", NOW, account(version=7), (), rules=0),
        entry_of("3", NOW, account(signal="logs"), (), rules=0),
    ]

    tallies = tallied(row for entry in entries for row in rows_of(entry))

    assert [(each.signal, each.version) for each in tallies] == [
        ("logs", 7), ("traces", 7), ("traces", 8),
    ]  # fmt: skip


def many(number: int) -> tuple[RuleCount, ...]:
    return tuple(
        RuleCount(
            rule=f"rule-{each}", action="drop", matched=1, removed=1, size=1, errors=1, guarded=1
        )
        for each in range(number)
    )


def test_a_transaction_has_room_for_the_rules_of_a_large_document() -> None:
    rules = many(2_000)
    entry = entry_of("b-1", NOW, account(*rules, received=2_000), (), rules=10_000)

    (tally,) = tallied(rows_of(entry))

    assert len(entry.rows) <= ROWS_AT_ONCE
    assert max(map(len, entry.rows.values())) <= NUMBERS_A_ROW
    assert len(tally.rules) == 2_000
    assert sum(rule.numbers["removed"] for rule in tally.rules.values()) == 2_000


def test_rules_that_find_no_room_are_counted_together_and_nothing_is_lost() -> None:
    rules = many(9_000)
    entry = entry_of("b-1", NOW, account(*rules, received=9_000, kept=0), (), rules=9_000)

    (tally,) = tallied(rows_of(entry))

    assert len(entry.rows) <= ROWS_AT_ONCE
    assert tally.rules[REST].numbers["removed"] > 0
    assert sum(rule.numbers["removed"] for rule in tally.rules.values()) == 9_000
    assert tally.balanced


def test_few_rules_share_one_row() -> None:
    assert set(entry_of("b-1", NOW, account(DROP, SAMPLE), (), rules=2).rows) == {TOTALS, "R.00.0"}


_counts = st.builds(
    RuleCount,
    rule=st.sampled_from(["a", "b.c", "d"]),
    action=st.sampled_from(["drop", "sample", "aggregate"]),
    matched=st.integers(0, 9),
    removed=st.integers(0, 9),
)


@given(st.lists(st.lists(_counts, max_size=4), max_size=5))
def test_sums_of_balanced_batches_balance(batches: list[list[RuleCount]]) -> None:
    entries = [
        entry_of(str(number), NOW, account(*rules), (), rules=3)
        for number, rules in enumerate(batches)
    ]

    for tally in tallied(row for entry in entries for row in rows_of(entry)):
        assert tally.balanced
        assert tally.numbers["received"] == 100 * len(batches)
