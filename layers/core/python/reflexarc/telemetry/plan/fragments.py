"""Parts of a condition as one Python function over plain fields and raw attributes.

Source is built of names that this module makes and of `repr` of keys and numbers, from validated
trees alone. What reads one slot is a look-up by the slot's raw form, a span's duration against a
constant is arithmetic, and what reads several slots is compiled over their values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from reflexarc.engines.ottl.compile import compile_condition
from reflexarc.engines.ottl.syntax import Arithmetic, Compare, Condition, Literal, Path
from reflexarc.engines.ottl.values import EvaluationError, int64
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.clauses import Test
from reflexarc.telemetry.plan.memo import Memo
from reflexarc.telemetry.plan.plain_attributes import Merged, check_whole
from reflexarc.telemetry.plan.plainly import whole_test
from reflexarc.telemetry.plan.slot_paths import SlotPaths, value_of
from reflexarc.telemetry.plan.slots import Attribute, Header, Slot, slot_of
from reflexarc.telemetry.plan.terms import paths_of

_DURATION = ("end_time_unix_nano", "start_time_unix_nano")
_INT64, _SIGN = 1 << 64, 1 << 63


@dataclass(slots=True)
class _Source:
    """Source that is being put together, and what its names stand for."""

    signal: OtlpSignal
    names: dict[str, Any] = field(default_factory=dict)

    def name(self, thing: Any) -> str:
        """Return a name for a thing."""
        name = f"t{len(self.names)}"
        self.names[name] = thing
        return name

    def part(self, condition: Condition) -> str:
        """Return the source of one condition over slots."""
        if duration := _duration(condition):
            return duration
        slots = slots_of(condition, self.signal)
        holds = compile_condition(condition, SlotPaths(self.signal, slots)).holds
        if len(slots) == 1 and not _is_time(slots[0]):
            answers = Memo(_judging(holds, slots[0], self.signal))
            return f"{self.name(answers)}[{_raw(slots[0])}]"
        values = ", ".join(self.value(slot) for slot in slots)
        return f"{self.name(holds)}({values})"

    def value(self, slot: Slot) -> str:
        """Return the source of a slot's value."""
        if _is_time(slot):
            return f"{self.name(int64)}({_raw(slot)})"
        return f"{self.name(Memo(_reading(slot, self.signal)))}[{_raw(slot)}]"


def test_of(
    conditions: Sequence[Condition], wholes: Sequence[Condition], signal: OtlpSignal
) -> Test | None:
    """Return a function that tells whether all conditions hold; None where there are none.

    `wholes` are those that slots do not suffice for; they are asked last, of the whole item.
    """
    if not conditions and not wholes:
        return None
    source = _Source(signal, {"merged": merged, "Merged": Merged})
    parts = [source.part(condition) for condition in conditions]
    parts += [f"{source.name(whole_test(each, signal))}(whole)" for each in wholes]
    text = (
        "def test(x, find, whole):\n"
        "    try:\n"
        f"        return {' and '.join(parts)}\n"
        "    except Merged:\n"
        "        return test(x, whole.find, whole)\n"
    )
    exec(text, source.names)  # noqa: S102 - our own source
    made: Test = source.names["test"]
    return made


def slots_of(condition: Condition, signal: OtlpSignal) -> tuple[Slot, ...]:
    """Return the slots that a condition reads, each once."""
    found = (slot_of(path, signal) for path in paths_of(condition))
    return tuple(dict.fromkeys(slot for slot in found if slot is not None))


def merged(bodies: Sequence[bytes]) -> bytes | None:
    """Return the bytes of a body; one written twice is merged, which is to put them together."""
    return b"".join(bodies) if bodies else None


def _judging(holds: Callable[..., bool], slot: Slot, signal: OtlpSignal) -> Callable[[Any], bool]:
    read = _reading(slot, signal)
    return lambda raw: holds(read(raw))


def _reading(slot: Slot, signal: OtlpSignal) -> Callable[[Any], object]:
    def read(raw: Any) -> object:
        if isinstance(slot, Attribute):
            check_whole(raw)
        try:
            return value_of(raw, slot, signal)
        except (DecodeError, UnicodeDecodeError) as error:
            raise EvaluationError(f"a value cannot be decoded: {error}") from error

    return read


def _raw(slot: Slot) -> str:
    """Return the source of a slot's raw form."""
    if isinstance(slot, Attribute):
        return f"find({slot.key!r})"
    return "merged(x.body)" if slot.name == "body" else f"x.{slot.name}"


def _is_time(slot: Slot) -> bool:
    """Return whether a slot holds a time: hardly any comes twice."""
    return isinstance(slot, Header) and slot.name.endswith("_nano")


def _duration(condition: Condition) -> str:
    """Return the source of a span's duration compared with a whole number."""
    match condition:
        case Compare(
            comparator,
            Arithmetic("-", Path("span", (left,), ()), Path("span", (right,), ())),
            Literal(number),
        ) if (left, right) == _DURATION and type(number) is int:
            # The difference wraps around at 64 bits, as Go's does.
            return f"(x.{left} - x.{right} + {_SIGN}) % {_INT64} - {_SIGN} {comparator} {number!r}"
        case _:
            return ""
