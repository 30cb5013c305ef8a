"""Rules applied to requests, with what must hold whatever the rules are."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.reads import Read
from reflexarc.telemetry.model import Account, Outcome, RuleCount
from reflexarc.telemetry.plan.items import SMALL
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import RuleSet
from tests.support.otlp_conditions import parts_of
from tests.support.otlp_items import REQUESTS, scopes_of
from tests.support.rule_writing import TODAY

VERSION = 7


def compiled(rules: Iterable[Rule], reads: Iterable[Read] = (), **more: Any) -> RuleSet:
    """Return rules in force today."""
    return RuleSet(rules, reads, version=VERSION, today=TODAY, **more)


def applied(
    signal: OtlpSignal, payload: bytes, *rules: Rule, reads: Sequence[Read] = ()
) -> Outcome:
    """Apply rules, twice each with the index and without: the account is exact, all agree."""
    every: list[Outcome] = []
    for small in (SMALL, 0):
        found = compiled(rules, reads, small=small)
        first, again = found.apply(signal, payload), found.apply(signal, payload)
        assert first == again
        every.append(first)
    for outcome in every:
        _is_exact(signal, payload, outcome)
    # What no text selects is never asked, so that its errors are never seen (docs/adr/025).
    assert _without_errors(every[0]) == _without_errors(every[1])
    return every[0]


def items_in(signal: OtlpSignal, payload: bytes) -> list[Any]:
    """Return the spans, metrics or log records of a request, by the plain schema."""
    request = REQUESTS[signal].FromString(payload)
    return [item for resource in scopes_of(request, signal) for scope in resource for item in scope]


def size_of(signal: OtlpSignal, payload: bytes) -> int:
    """Return how many spans, data points or log records a request has, by the plain schema."""
    items = items_in(signal, payload)
    return sum(len(parts_of(signal, item)) for item in items) if signal == "metrics" else len(items)


def names_in(signal: OtlpSignal, payload: bytes) -> list[str]:
    """Return the names of the spans or metrics of a request."""
    return [item.name for item in items_in(signal, payload)]


def counts(account: Account) -> dict[str, RuleCount]:
    """Return the counts of each rule that did something."""
    return {each.rule: each for each in account.rules}


def _is_exact(signal: OtlpSignal, payload: bytes, outcome: Outcome) -> None:
    account = outcome.account
    of = {"drop": 0, "sample": 0, "aggregate": 0}
    for each in account.rules:
        if each.removed:
            of[each.action] += each.removed
    assert account.signal == signal
    assert account.version == VERSION
    assert account.received == size_of(signal, payload)
    assert account.received == account.kept + sum(of.values())
    emitted = sum(each.emitted for each in account.rules)
    assert size_of(signal, outcome.payload) == account.kept + emitted
    assert account.received_size == len(payload)
    assert account.kept_size == len(outcome.payload)
    assert (outcome.payload is payload) == (outcome.payload == payload)


def _without_errors(outcome: Outcome) -> Outcome:
    rules = tuple(replace(each, errors=0) for each in outcome.account.rules)
    did = tuple(each for each in rules if each != RuleCount(rule=each.rule, action=each.action))
    return replace(outcome, account=replace(outcome.account, rules=did))
