"""The parts of an `and`, by what it takes to judge them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reflexarc.engines.ottl.check import values_of
from reflexarc.engines.ottl.functions import find
from reflexarc.engines.ottl.functions.signature import Converter
from reflexarc.engines.ottl.reads import reads
from reflexarc.engines.ottl.syntax import And, Call, Condition, Path
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.slots import Header, slot_of

_SHARED = frozenset({"resource"})
_SCOPED = frozenset({"resource", "scope"})
_PARTS = frozenset({"datapoint", "spanevent"})


@dataclass(slots=True)
class Sorted:
    """The parts of a condition: of resource, scope, plain fields, attributes, whole, parts."""

    resource: list[Condition] = field(default_factory=list)
    scope: list[Condition] = field(default_factory=list)
    header: list[Condition] = field(default_factory=list)
    attributes: list[Condition] = field(default_factory=list)
    whole: list[Condition] = field(default_factory=list)
    part: list[Condition] = field(default_factory=list)


def conjuncts(condition: Condition) -> Iterator[Condition]:
    """Yield the parts of an `and`, nested ones taken apart too."""
    if isinstance(condition, And):
        for each in condition.conditions:
            yield from conjuncts(each)
    else:
        yield condition


def sorted_by_price(condition: Condition, signal: OtlpSignal) -> Sorted:
    """Return the parts of a condition by what they read."""
    found = Sorted()
    for each in conjuncts(condition):
        _place(found, each, signal).append(each)
    return found


def _place(found: Sorted, condition: Condition, signal: OtlpSignal) -> list[Condition]:
    contexts = {read.context for read in reads(condition)}
    if contexts & _PARTS:
        return found.part
    # What is another answer each time is asked each time.
    if any(not converter.pure for converter in _converters(condition)):
        return found.whole
    if contexts <= _SCOPED:
        return found.resource if contexts <= _SHARED else found.scope
    slots = {slot_of(path, signal) for path in paths_of(condition)}
    # A converter may read what no path names.
    hidden = any(converter.reads for converter in _converters(condition))
    if hidden or None in slots:
        return found.whole
    plain = all(isinstance(slot, Header) and slot.name != "body" for slot in slots)
    return found.header if plain else found.attributes


def paths_of(condition: Condition) -> list[Path]:
    """Return every path that a condition names."""
    return [value for value in values_of(condition) if isinstance(value, Path)]


def _converters(condition: Condition) -> Iterator[Converter]:
    for value in values_of(condition):
        if isinstance(value, Call) and (converter := find(value.name)):
            yield converter
