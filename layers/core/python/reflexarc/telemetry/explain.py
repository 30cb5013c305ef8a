"""Why one item stays or goes: every guard and rule in its order, held or not, part by part. Pure.

What becomes of the item is decided by the compiled rules, as a batch's items are. The parts of the
conditions are judged beside them, on the whole item, to be shown.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from reflexarc.engines.ottl.filter_config import FilterCondition
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.redact.policy import TRIAL_SALT
from reflexarc.events.reads import Read
from reflexarc.telemetry.condition_tree import Asking, Part
from reflexarc.telemetry.guards import GUARDS
from reflexarc.telemetry.plan.slots import ITEM_CONTEXT
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import RuleSet, conditions_of
from reflexarc.telemetry.single_items import SingleItem
from reflexarc.telemetry.tally import RuleTally, Tally

Fate = Literal["kept", "dropped", "sampled", "aggregated", "guarded"]
State = Literal["held", "did not hold", "not asked", "expired"]
_FATES: dict[str, Fate] = {"drop": "dropped", "sample": "sampled", "aggregate": "aggregated"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the item, by whom, and what there is to say about it."""

    fate: Fate
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A condition with its tree. Of points and events: for how many of them it holds."""

    context: str
    tree: Part
    held: int
    of: int


@dataclass(frozen=True, slots=True)
class Step:
    """One rule, in the order in which rules are asked."""

    rule: Rule
    state: State
    conditions: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True)
class Guarding:
    """Who wants the item kept, and by which of its conditions."""

    who: str
    conditions: tuple[Asked, ...]

    @property
    def holds(self) -> bool:
        """Return whether the guard wants this item; where it cannot tell, it does."""
        return any(each.held or each.tree.verdict == "error" for each in self.conditions)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole story of one item."""

    decision: Decision
    guards: tuple[Guarding, ...]
    steps: tuple[Step, ...]


def explain(
    item: SingleItem, rules: Iterable[Rule], reads: Iterable[Read], today: date
) -> Explanation:
    """Return what the rules do to an item, and why; raises Rejected where one cannot be used."""
    ordered = sorted(rules, key=lambda rule: rule.priority)
    wanted = [*GUARDS, *reads]
    judgement = RuleSet(ordered, reads, version=0, today=today, salt=TRIAL_SALT).judge(
        item.signal, item.request
    )
    shadows = frozenset(rule.name for rule in ordered if rule.shadow)
    decision = decision_of(judgement.tally, judgement.received, shadows)
    steps = tuple(_steps(item, ordered, today))
    guards = tuple(
        Guarding(read.who, tuple(_guard(item, read)))
        for read in wanted
        if read.signal == item.signal
    )
    return Explanation(decision, guards, steps)


def decision_of(tally: Tally, received: int, shadows: frozenset[str]) -> Decision:
    """Return what an account of one item says."""
    rules = list(tally.values())
    for rule in rules:
        if rule.removed:
            some = f"{rule.removed} of {received} points" if rule.removed < received else ""
            return Decision(_FATES[rule.action], rule.rule, some)
    for rule in rules:
        if rule.guarded:
            return Decision("guarded", next(iter(tally.guards)), f"{rule.rule} would take it")
    deciding = (rule for rule in rules if rule.matched and rule.rule not in shadows)
    cutting = (rule.rule for rule in rules if rule.events and rule.rule not in shadows)
    return _kept(next(deciding, None), next(cutting, ""), tally)


def _kept(rule: RuleTally | None, cut: str, tally: Tally) -> Decision:
    if rule is None and not cut:
        return Decision("kept", note="no rule that decides holds for it")
    if rule is None:
        return Decision("kept", cut, "without some of its events")
    refusal = next(iter(tally.refusals), "").partition(": ")[2]
    notes = {"keep": "no later rule is asked", "sample": "its trace is among those that stay"}
    return Decision("kept", rule.rule, notes.get(rule.action, refusal))


def _steps(item: SingleItem, rules: Sequence[Rule], today: date) -> Iterator[Step]:
    decided = False
    for rule in rules:
        conditions = conditions_of(rule).get(item.signal)
        if not conditions:
            continue
        if not rule.in_force(today):
            yield Step(rule, "expired")
        elif decided and rule.action != "redact":
            yield Step(rule, "not asked")
        else:
            asked = tuple(_asked(item, each) for each in conditions)
            held = any(each.held for each in asked)
            yield Step(rule, "held" if held else "did not hold", asked)
            decided = decided or (held and _decides(rule, asked))


def _decides(rule: Rule, asked: Sequence[Asked]) -> bool:
    """Return whether no later rule is asked.

    Rules in shadow leave the item to the next one, and so do those that redact or cut events.
    """
    if rule.action == "redact" or rule.shadow:
        return False
    return any(each.held and each.held == each.of for each in asked if each.context != "spanevent")


def _guard(item: SingleItem, read: Read) -> Iterator[Asked]:
    context = ITEM_CONTEXT[read.signal]
    for text in read.conditions:
        yield _asked(item, FilterCondition(context, text, parse(text, context)))


def _asked(item: SingleItem, condition: FilterCondition) -> Asked:
    """Return a condition with its tree: of the first part of the item for which it holds."""
    trees = [
        Asking(condition.context, condition.text, messages).judged(condition.condition)
        for messages in _messages(item, condition.context)
    ]
    if not trees:
        tree = Asking(condition.context, condition.text, ()).unasked(condition.condition)
        return Asked(condition.context, tree, 0, 0)
    held = [tree for tree in trees if tree.verdict == "true"]
    failed = [tree for tree in trees if tree.verdict == "error"]
    return Asked(condition.context, (held or failed or trees)[0], len(held), len(trees))


def _messages(item: SingleItem, context: str) -> Iterator[Sequence[Any]]:
    """Yield the messages that a condition of a context is asked of."""
    above = (item.resource, item.scope)
    match context:
        case "resource":
            yield above[:1]
        case "scope":
            yield above
        case "spanevent":
            for number, event in enumerate(item.message.events):
                yield (*above, item.message, event, number)
        case "datapoint":
            kind = item.message.WhichOneof("data")
            for point in getattr(item.message, kind).data_points if kind else ():
                yield (*above, item.message, point)
        case _:
            yield (*above, item.message)
