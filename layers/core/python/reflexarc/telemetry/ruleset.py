"""Rules compiled for use: a batch goes in, what is kept of it and an exact account come out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from reflexarc.engines.otlp.framing import Framed, framed
from reflexarc.engines.otlp.shadow import count_of_items
from reflexarc.engines.otlp.splicing import spliced
from reflexarc.engines.otlp.wire import Malformed
from reflexarc.engines.ottl.check import check
from reflexarc.engines.ottl.filter_config import FilterCondition, parse_filter
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.redact.payload import Redactor
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.reads import Read
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.guards import GUARDS
from reflexarc.telemetry.judging import Deciding, Judge
from reflexarc.telemetry.metric_judging import MetricJudge
from reflexarc.telemetry.model import Action, Outcome
from reflexarc.telemetry.plan.items import SMALL
from reflexarc.telemetry.plan.planning import Guarding, Stated, plan_of
from reflexarc.telemetry.plan.slots import ITEM_CONTEXT
from reflexarc.telemetry.redacting import RedactionRules
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.sampling import threshold_of
from reflexarc.telemetry.tally import Tally

SIGNALS: tuple[OtlpSignal, ...] = ("traces", "metrics", "logs")
# What a sampling rule reads of an item.
_SAMPLED_BY: Mapping[OtlpSignal, frozenset[str]] = {
    "traces": frozenset({"trace_id", "trace_state"}),
    "logs": frozenset({"trace_id"}),
}
# What no rule can do to a signal.
_UNFIT: Mapping[tuple[Action, OtlpSignal], str] = {
    ("sample", "metrics"): "metrics cannot be sampled: a sum would be wrong",
    ("aggregate", "traces"): "only metrics can be aggregated",
    ("aggregate", "logs"): "only metrics can be aggregated",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A batch taken apart, with what becomes of its items: None where one goes."""

    # None where nothing had to be taken apart.
    parts: Framed | None
    changed: Mapping[int, bytes | None]
    received: int
    tally: Tally


class RuleSet:
    """All rules in force under one version of the telemetry document."""

    def __init__(
        self,
        rules: Iterable[Rule],
        reads: Iterable[Read] = (),
        *,
        version: int,
        today: date,
        salt: bytes = b"",
        small: int = SMALL,
    ) -> None:
        """Compile rules; raises Rejected where one cannot be used."""
        self.version = version
        live = sorted(
            (rule for rule in rules if rule.in_force(today)), key=lambda rule: rule.priority
        )
        stated = [(rule, _fitting(rule, conditions_of(rule))) for rule in live]
        deciding = [(rule, said) for rule, said in stated if rule.action != "redact"]
        redacting = [(rule, said) for rule, said in stated if rule.action == "redact"]
        wanted = [*GUARDS, *reads]
        self._judges = {
            signal: _judge(signal, _of(signal, deciding), wanted, small) for signal in SIGNALS
        }
        self._redaction = {
            signal: _redaction(signal, _of(signal, redacting), salt, small) for signal in SIGNALS
        }

    def redact(self, signal: OtlpSignal, payload: bytes) -> tuple[bytes, Mapping[str, int]]:
        """Return the request as the redacting rules leave it, and what they found.

        The object that came in is returned where they find nothing.
        """
        counts: Counter[str] = Counter()
        try:
            return self._redaction[signal].apply(payload, counts), counts
        except Malformed as error:
            raise _unreadable(signal, error) from error

    def apply(self, signal: OtlpSignal, payload: bytes) -> Outcome:
        """Return what is kept of an export request; raises Rejected where it is none.

        The object that came in is returned where nothing is taken away.
        """
        judgement = self.judge(signal, payload)
        kept = payload
        if judgement.parts is not None:
            kept = spliced(judgement.parts, judgement.changed)
        account = judgement.tally.account(
            signal, self.version, received=judgement.received, sizes=(len(payload), len(kept))
        )
        return Outcome(payload=kept, account=account)

    def judge(self, signal: OtlpSignal, payload: bytes) -> Judgement:
        """Return what becomes of each item of an export request; raises Rejected as `apply`."""
        judge = self._judges[signal]
        tally = Tally(judge.rules)
        try:
            hits = judge.plan.hits(payload)
            if isinstance(judge, MetricJudge):
                parts = framed(payload)
                received, changed = judge.changes(parts, hits, tally)
                return Judgement(parts, changed, received, tally)
            if hits is None:
                return Judgement(None, {}, count_of_items(signal, payload), tally)
            parts = framed(payload)
            return Judgement(parts, judge.changes(parts, hits, tally), len(parts.starts), tally)
        except Malformed as error:
            raise _unreadable(signal, error) from error


_Said = tuple[Rule, Sequence[FilterCondition]]
_BySignal = Mapping[OtlpSignal, Sequence[FilterCondition]]


def conditions_of(rule: Rule) -> _BySignal:
    """Return a rule's conditions by signal; raises Rejected where one cannot be used."""
    groups = parse_filter(rule.filter).groups
    return {
        signal: [each for group in found for each in group.conditions]
        for signal, found in groups.items()
    }


def _fitting(rule: Rule, said: _BySignal) -> _BySignal:
    """Return the conditions of a rule; raises Rejected where its action does not go with them."""
    for signal, conditions in said.items():
        if conditions and (unfit := _UNFIT.get((rule.action, signal))):
            raise Rejected(f"{rule.name}: {unfit}")
    on_events = any(each.context == "spanevent" for each in said.get("traces", ()))
    if on_events and rule.action not in {"drop", "redact"}:
        raise Rejected(f"{rule.name}: span events can be dropped or redacted, not {rule.action}")
    return said


def _of(signal: OtlpSignal, stated: Iterable[tuple[Rule, _BySignal]]) -> list[_Said]:
    """Return the rules that have conditions on a signal."""
    return [(rule, said[signal]) for rule, said in stated if said.get(signal)]


def _stated(said: Sequence[_Said]) -> list[Stated]:
    return [
        Stated(number, each.context, each.condition)
        for number, (_, conditions) in enumerate(said)
        for each in conditions
    ]


def _judge(
    signal: OtlpSignal, said: Sequence[_Said], reads: Iterable[Read], small: int
) -> Judge | MetricJudge:
    sampling = any(rule.action == "sample" for rule, _ in said)
    plan = plan_of(
        signal,
        _stated(said),
        _guards(signal, reads),
        also=_SAMPLED_BY[signal] if sampling else frozenset(),
        small=small,
    )
    deciding = [
        Deciding(rule.name, rule.action, rule.shadow, threshold_of((rule.percent or 0) / 100))
        for rule, _ in said
    ]
    if signal == "metrics":
        merging = {
            number: rule.aggregate for number, (rule, _) in enumerate(said) if rule.aggregate
        }
        return MetricJudge(deciding, plan, merging)
    return Judge(signal, deciding, plan)


def _guards(signal: OtlpSignal, reads: Iterable[Read]) -> list[Guarding]:
    context = ITEM_CONTEXT[signal]
    found = []
    for read in reads:
        if read.signal == signal:
            for text in read.conditions:
                condition = parse(text, context)
                check(condition, context, text)
                found.append(Guarding(read.who, Stated(0, context, condition)))
    return found


def _redaction(
    signal: OtlpSignal, said: Sequence[_Said], salt: bytes, small: int
) -> RedactionRules:
    plan = plan_of(signal, _stated(said), unsure=True, small=small)
    redactors = [Redactor(rule.redact, salt=salt) for rule, _ in said if rule.redact]
    return RedactionRules(signal, plan, redactors)


def _unreadable(signal: OtlpSignal, error: Malformed) -> Rejected:
    return Rejected(f"the {signal} cannot be read: {error}")
