"""Whether a rule takes away what somebody reads, told before the rule is in force. Pure.

Of what a reader reads only a few fields are known: a kernel line's body, a metric's name. A
condition is judged on these as true, false or in doubt, and a rule blinds a reader where it is
certainly true. Doubt is allowed: at run time the guard keeps such items.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reflexarc.engines.ottl.check import values_of
from reflexarc.engines.ottl.code import Fragment
from reflexarc.engines.ottl.compile import Holds, compile_condition
from reflexarc.engines.ottl.functions import find
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.syntax import (
    And,
    Call,
    Comparator,
    Compare,
    Condition,
    Literal,
    Not,
    Or,
    Path,
    Truth,
)
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.reads import Read
from reflexarc.telemetry.plan.slots import ITEM_CONTEXT

# A field by its context, its names and its keys.
Field = tuple[str, tuple[str, ...], tuple[object, ...]]
Known = Mapping[Field, object]
Judgement = Callable[[Known], bool | None]
_TAKEN_SHOWN = 90


@dataclass(frozen=True, slots=True)
class Asked:
    """One rule as far as it matters here: what it does, and its conditions on one signal."""

    action: str
    signal: OtlpSignal
    conditions: Sequence[tuple[str, Condition]]


@dataclass(frozen=True, slots=True)
class Blinding:
    """A rule, by its number, that takes away what somebody reads, with the first that it takes."""

    rule: int
    who: str
    taken: str
    others: int

    def __str__(self) -> str:
        """Return it in words."""
        more = f" and {self.others:,} more that are read" if self.others else ", which is read"
        return f"this would blind {self.who}: it takes {self.taken}{more}"


def blindings(rules: Sequence[Asked], reads: Iterable[Read]) -> Iterator[Blinding]:
    """Yield which rules blind whom; the rules stand in the order in which they are asked."""
    judging = [
        [judgement_of(condition) for context, condition in rule.conditions if context in _TAKING]
        for rule in rules
    ]
    for read in reads:
        taken: dict[int, list[str]] = {}
        for witness in read.witnesses:
            known = known_of(witness, read.signal)
            shown = ", ".join(f"{path} {value!r}" for path, value in witness.items())
            for number in _takers(rules, judging, read.signal, known):
                taken.setdefault(number, []).append(shown[:_TAKEN_SHOWN])
        for number, shown_all in sorted(taken.items()):
            yield Blinding(number, read.who, shown_all[0], len(shown_all) - 1)


def known_of(witness: Mapping[str, object], signal: OtlpSignal) -> Known:
    """Return what is known of an item, by field; paths are OTTL's in the context of the item."""
    known: dict[Field, object] = {}
    for text, value in witness.items():
        compared = parse(f"{text} == nil", ITEM_CONTEXT[signal])
        assert isinstance(compared, Compare)  # noqa: S101 - what the text says
        assert isinstance(compared.left, Path)  # noqa: S101 - a Read states paths
        known[_field(compared.left)] = value
    return known


def judgement_of(condition: Condition) -> Judgement:
    """Return what judges a condition on what is known: true, false, or None where it depends."""
    match condition:
        case And(conditions):
            return _joined([judgement_of(each) for each in conditions], deciding=False)
        case Or(conditions):
            return _joined([judgement_of(each) for each in conditions], deciding=True)
        case Not(inner):
            return _opposite(judgement_of(inner))
        case _:
            return _Leaf(condition)


# What a condition in these contexts takes are items; of span events it takes parts of a span.
_TAKING = frozenset({"resource", "scope", "span", "metric", "datapoint", "log"})
_HARMLESS = frozenset({"redact"})


def _takers(
    rules: Sequence[Asked],
    judging: Sequence[Sequence[Judgement]],
    signal: OtlpSignal,
    known: Known,
) -> Iterator[int]:
    """Yield the rules that certainly take an item, up to one that certainly keeps it."""
    for number, (rule, judgements) in enumerate(zip(rules, judging, strict=True)):
        if rule.signal != signal or rule.action in _HARMLESS:
            continue
        if any(judge(known) for judge in judgements):
            if rule.action == "keep":
                return
            yield number


def _joined(parts: Sequence[Judgement], *, deciding: bool) -> Judgement:
    """Return an `or` (true decides) or an `and` (false decides)."""

    def judge(known: Known) -> bool | None:
        found = {part(known) for part in parts}
        if deciding in found:
            return deciding
        return None if None in found else not deciding

    return judge


def _opposite(part: Judgement) -> Judgement:
    def judge(known: Known) -> bool | None:
        found = part(known)
        return None if found is None else not found

    return judge


class _Leaf:
    """A comparison or a call, compiled when all that it reads is known for the first time."""

    def __init__(self, condition: Compare | Truth) -> None:
        self._condition = condition
        self._reads, self._pure = _reads(condition)
        self._holds: Holds | None = None

    def __call__(self, known: Known) -> bool | None:
        if not self._pure or not self._reads <= known.keys():
            return None
        if self._holds is None:
            self._holds = compile_condition(self._condition, _KNOWN).holds
        try:
            return self._holds(known)
        except EvaluationError:
            # A condition that raises leaves the item as it is.
            return None


def _reads(condition: Condition) -> tuple[frozenset[Field], bool]:
    """Return the fields that a condition reads, and whether they are all that it depends on."""
    fields, pure = set(), True
    for value in values_of(condition):
        if isinstance(value, Path):
            fields.add(_field(value))
        elif isinstance(value, Call):
            converter = find(value.name)
            pure = pure and converter is not None and converter.pure and not converter.reads
    return frozenset(fields), pure


def _field(path: Path) -> Field:
    # A key that is no literal is a field that nobody knows.
    return (
        path.context,
        path.names,
        tuple(key.value if isinstance(key, Literal) else key for key in path.keys),
    )


class _KnownPaths:
    """Reads paths out of what is known."""

    parameters = ("known",)

    def read(self, path: Path) -> Fragment:
        return Fragment(f"known[{_field(path)!r}]")

    def compare(self, path: Path, comparator: Comparator, constant: object) -> Fragment | None:
        del path, comparator, constant
        return None


_KNOWN = _KnownPaths()
