"""Everything that is wrong with a telemetry document, each with its place: what a push asks. Pure.

A rule that is malformed does not hide what is wrong with the others. Who reads a document in force
asks for less, so that a stricter check some day does not throw out what works.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import ValidationError

from reflexarc.engines.ottl.filter_config import FilterCondition
from reflexarc.engines.ottl.lexer import tokens
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.problems import Place, Problem, malformed_of
from reflexarc.events.reads import Read
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.blinding import Asked, blindings
from reflexarc.telemetry.config import RULES_MAX, TelemetryConfig
from reflexarc.telemetry.filter_places import filter_problems, places_of
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import SIGNALS, conditions_of

# Nobody remembers why a rule is there for longer than a year and a bit.
FARTHEST = timedelta(days=400)
# Where conditions of a signal stand in the newer form of a block.
_NEWER: Mapping[OtlpSignal, str] = {
    "traces": "trace_conditions",
    "metrics": "metric_conditions",
    "logs": "log_conditions",
}


@dataclass(frozen=True, slots=True)
class _Placed:
    """A rule that is well formed, its place in the list, and its conditions."""

    number: int
    rule: Rule
    conditions: Mapping[OtlpSignal, Sequence[FilterCondition]]

    @property
    def place(self) -> Place:
        return ("rules", self.number)

    def placed(self, *signals: OtlpSignal) -> Iterator[tuple[Place, FilterCondition]]:
        """Yield the conditions with their places; both stand in the order of the block."""
        texts = [(*self.place, "filter", *where) for where, _ in places_of(self.rule.filter)]
        for signal, said in self.conditions.items():
            own = [where for where in texts if {signal, _NEWER[signal]} & {*map(str, where)}]
            if not signals or signal in signals:
                yield from zip(own, said, strict=True)


def examine(document: object, reads: Iterable[Read], today: date) -> tuple[Problem, ...]:
    """Return every problem of a document as YAML or JSON gave it."""
    if not isinstance(document, Mapping):
        return (Problem(place=(), what="this should be settings, each as name: value"),)
    rest = {**document, "rules": []}
    problems = list(_malformed(TelemetryConfig, rest, ()))
    listed = document.get("rules", [])
    if not isinstance(listed, list):
        return (*problems, Problem(place=("rules",), what="this should be a list"))
    if len(listed) > RULES_MAX:
        what = f"{len(listed):,} rules: at most {RULES_MAX:,} may be there"
        problems.append(Problem(place=("rules",), what=what))
    placed = []
    for number, each in enumerate(listed):
        place = ("rules", number)
        if found := tuple(_malformed(Rule, each, place)):
            problems += found
            continue
        rule = Rule.model_validate_json(json.dumps(each))
        try:
            placed.append(_Placed(number, rule, conditions_of(rule)))
        except Rejected:
            problems += filter_problems(each["filter"], (*place, "filter"))
    problems += _named_twice(listed)
    for one in placed:
        problems += _of_one(one, today)
    problems += _in_vain(placed)
    problems += _blind(placed, reads)
    return tuple(problems)


def refused(problems: Iterable[Problem]) -> bool:
    """Return whether a document with these problems is not pushed."""
    return any(problem.level == "error" for problem in problems)


def _malformed(
    model: type[TelemetryConfig | Rule], document: object, place: Place
) -> Iterator[Problem]:
    try:
        model.model_validate_json(json.dumps(document))
    except ValidationError as error:
        yield from malformed_of(error, place)


def _named_twice(listed: Sequence[Any]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for number, each in enumerate(listed):
        name = each.get("name") if isinstance(each, Mapping) else None
        if not isinstance(name, str):
            continue
        if name in first:
            what = f"rule {first[name] + 1} of the list has the name {name} already"
            yield Problem(place=("rules", number, "name"), what=what)
        first.setdefault(name, number)


def _of_one(placed: _Placed, today: date) -> Iterator[Problem]:
    """Yield what is wrong with a rule by itself."""
    rule, place = placed.rule, placed.place
    yield from _expiry(rule.expires, (*place, "expires"), today)
    if not any(placed.conditions.values()):
        yield Problem(place=(*place, "filter"), what="there is no condition: it does nothing")
    if rule.action == "sample" and placed.conditions.get("metrics"):
        what = "metrics cannot be sampled, a sum would be wrong: drop or aggregate them"
        yield Problem(place=(*place, "action"), what=what)
    wrong = [signal for signal in ("traces", "logs") if placed.conditions.get(signal)]
    if rule.action == "aggregate" and wrong:
        what = f"{' and '.join(wrong)} cannot be aggregated, only metrics: drop or sample them"
        yield Problem(place=(*place, "action"), what=what)
    if rule.action not in {"drop", "redact"}:
        for where, each in placed.placed("traces"):
            if each.context == "spanevent":
                what = "span events can be dropped or redacted: they are parts of spans that stay"
                yield Problem(place=where, what=what)


def _expiry(expires: date, place: Place, today: date) -> Iterator[Problem]:
    if expires < today:
        yield Problem(place=place, what=f"it expired on {expires}: the rule would do nothing")
    elif expires > today + FARTHEST:
        latest = today + FARTHEST
        what = f"more than {FARTHEST.days} days away: {latest} is the latest, extend it then"
        yield Problem(place=place, what=what)


def _in_vain(placed: Sequence[_Placed]) -> Iterator[Problem]:
    """Yield conditions that an earlier rule has too: it decides before them, every time."""
    decided: dict[tuple[str, tuple[str, ...]], Rule] = {}
    for one in sorted(placed, key=lambda each: each.rule.priority):
        if one.rule.action == "redact":
            continue
        own: dict[tuple[str, tuple[str, ...]], Rule] = {}
        for where, each in one.placed():
            key = each.context, tuple(token.text for token in tokens(each.text))
            if (earlier := decided.get(key)) is not None:
                what = f"{earlier.name} decides before it by the very same condition"
                yield Problem(place=where, what=what, level="warning")
            own[key] = one.rule
        if not one.rule.shadow:
            for key, rule in own.items():
                decided.setdefault(key, rule)


def _blind(placed: Sequence[_Placed], reads: Iterable[Read]) -> Iterator[Problem]:
    """Yield rules that take away what a part of the product reads."""
    ordered = sorted(placed, key=lambda each: each.rule.priority)
    # In shadow a rule that keeps saves nothing from the rules behind it.
    ordered = [one for one in ordered if not (one.rule.shadow and one.rule.action == "keep")]
    of = [(one, signal) for one in ordered for signal in SIGNALS if one.conditions.get(signal)]
    asked = [
        Asked(
            one.rule.action,
            signal,
            [(each.context, each.condition) for each in one.conditions[signal]],
        )
        for one, signal in of
    ]
    for found in blindings(asked, reads):
        one = of[found.rule][0]
        if one.rule.shadow:
            what = f"{found} (not while it is in shadow)"
            yield Problem(place=one.place, what=what, level="warning")
        else:
            yield Problem(place=one.place, what=str(found))
