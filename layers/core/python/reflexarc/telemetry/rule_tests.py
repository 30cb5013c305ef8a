"""Tests of rules as people write them: items, and what is to become of each. Pure.

Rules are judged as if none were in shadow: a test is of what a rule does once it is live.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Self, get_args

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from reflexarc.engines.otlp.wire import field_of
from reflexarc.engines.ottl.plain_values import mapping
from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import TRIAL_SALT
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.reads import Read
from reflexarc.telemetry.config import TelemetryConfig
from reflexarc.telemetry.explain import Decision, Explanation, Fate, decision_of, explain
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import RuleSet
from reflexarc.telemetry.short_form import Attributes, ShortLog, ShortMetric, ShortSpan, key_values
from reflexarc.telemetry.single_items import SingleItem, items_of

_INNER = 2
_EXPECTED = re.compile(rf"({'|'.join(get_args(Fate))}|redacted)(?: by (\S.*))?")
Expected = Annotated[str, StringConstraints(strip_whitespace=True)]


class Scope(BaseModel):
    """An instrumentation scope."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    version: str = ""
    attributes: Attributes = {}


class Trial(BaseModel):
    """One item, and what is to become of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    span: ShortSpan | None = None
    log: ShortLog | None = None
    metric: ShortMetric | None = None
    resource: Attributes = {}
    scope: Scope = Scope()
    expect: Expected = Field(
        description="kept, dropped, sampled, aggregated, guarded or redacted, and `by NAME`"
    )
    redacted: tuple[str, ...] | None = Field(default=None, description="kinds that redaction found")
    attributes: Attributes = Field(default={}, description="what it has of these afterwards")
    left: int | None = Field(
        default=None, ge=0, description="how many points of a metric or events of a span are left"
    )

    @model_validator(mode="after")
    def _is_one_item(self) -> Self:
        if sum(each is not None for each in (self.span, self.log, self.metric)) != 1:
            raise ValueError("an item is one of span, log and metric")
        if not _EXPECTED.fullmatch(self.expect):
            fates = ", ".join((*get_args(Fate), "redacted"))
            raise ValueError(f"expect is one of {fates}, each with `by NAME` or without")
        return self

    @property
    def signal(self) -> OtlpSignal:
        """Return the signal that the item is of."""
        if self.span is not None:
            return "traces"
        return "logs" if self.log is not None else "metrics"

    @property
    def named(self) -> str:
        """Return the rule or guard that the expectation names, if any."""
        found = _EXPECTED.fullmatch(self.expect)
        return (found[2] or "") if found else ""

    def request(self) -> bytes:
        """Return an export request of the item alone."""
        short = self.span or self.log or self.metric
        assert short is not None  # noqa: S101 - checked above
        resource = Resource(attributes=key_values(self.resource)).SerializeToString()
        scope = InstrumentationScope(
            name=self.scope.name,
            version=self.scope.version,
            attributes=key_values(self.scope.attributes),
        ).SerializeToString()
        item = field_of(_INNER, short.message().SerializeToString())
        inner = field_of(_INNER, *field_of(1, scope), *item)
        return b"".join(field_of(1, *field_of(1, resource), *inner))


class Case(BaseModel):
    """Items that belong together, under a name that says what holds of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    items: tuple[Trial, ...] = Field(min_length=1)


class Suite(BaseModel):
    """A file of tests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: str = Field(description="the telemetry document, from where this file is")
    today: date | None = Field(default=None, description="the day of the tests; today by default")
    tests: tuple[Case, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one item, and in what it is not as expected."""

    case: Case
    number: int
    item: SingleItem
    decision: Decision
    differs: tuple[tuple[str, str, str], ...]

    @property
    def trial(self) -> Trial:
        """Return the item as it was written."""
        return self.case.items[self.number]


@dataclass(slots=True)
class Bench:
    """Rules that items are tried on."""

    config: TelemetryConfig
    reads: Sequence[Read]
    today: date
    _rules: RuleSet = field(init=False)
    _redactor: Redactor = field(init=False)
    _live: list[Rule] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the rules."""
        self._live = [rule.model_copy(update={"shadow": False}) for rule in self.config.rules]
        self._rules = RuleSet(self._live, self.reads, version=0, today=self.today, salt=TRIAL_SALT)
        self._redactor = Redactor(self.config.redaction, salt=TRIAL_SALT)

    def tried(self, cases: Iterable[Case]) -> Iterator[Tried]:
        """Yield what becomes of every item."""
        for case in cases:
            for number in range(len(case.items)):
                yield self._tried(case, number)

    def explained(self, tried: Tried) -> Explanation:
        """Return the whole story of an item."""
        return explain(tried.item, self._live, self.reads, self.today)

    def _tried(self, case: Case, number: int) -> Tried:
        trial = case.items[number]
        signal = trial.signal
        redacted = self._redactor.apply(signal, trial.request())
        payload, more = self._rules.redact(signal, redacted.payload)
        kinds = sorted({*redacted.counts, *more})
        (item,) = items_of(Batch(signal=signal, payload=payload, where=case.name))
        judgement = self._rules.judge(signal, payload)
        decision = decision_of(judgement.tally, judgement.received, frozenset())
        left = self._rules.apply(signal, payload).payload
        differs = [*_fate(trial, decision, kinds), *_traits(trial, signal, left, kinds)]
        return Tried(case, number, item, decision, tuple(differs))


def _fate(trial: Trial, decision: Decision, kinds: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    found = _EXPECTED.fullmatch(trial.expect)
    assert found is not None  # noqa: S101 - checked when it was read
    fate: str = decision.fate
    if found[1] == "redacted" and kinds and fate in {"kept", "guarded"}:
        fate = "redacted"
    by_other = found[2] is not None and found[2] != decision.by
    if fate != found[1] or by_other:
        by = f" by {decision.by}" if decision.by else ""
        yield "", trial.expect, f"{fate}{by}"


def _traits(
    trial: Trial, signal: OtlpSignal, payload: bytes, kinds: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    if trial.redacted is not None and sorted(trial.redacted) != kinds:
        yield (
            "redacted",
            ", ".join(sorted(trial.redacted)) or "nothing",
            ", ".join(kinds) or ("nothing"),
        )
    items = list(items_of(Batch(signal=signal, payload=payload, where="")))
    message = items[0].message if items else None
    if trial.left is not None and trial.left != (left := _left(signal, message)):
        yield "left", str(trial.left), str(left)
    has = mapping(message.attributes) if message is not None and signal != "metrics" else {}
    for key, value in trial.attributes.items():
        if has.get(key) != value:
            yield key, _json(value), _json(has.get(key))


def _left(signal: OtlpSignal, message: Any) -> int:
    """Return how many points of a metric, or events of a span, there are."""
    if message is None:
        return 0
    if signal == "metrics":
        return len(getattr(message, message.WhichOneof("data")).data_points)
    return len(message.events) if signal == "traces" else 0


def _json(value: object) -> str:
    return json.dumps(value, default=str)
