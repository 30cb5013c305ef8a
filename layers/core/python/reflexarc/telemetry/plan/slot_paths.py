"""Paths of a condition as arguments: the values of the slots that it reads."""

from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from reflexarc.engines.ottl.code import Fragment
from reflexarc.engines.ottl.plain_values import any_value
from reflexarc.engines.ottl.syntax import Comparator, Literal, Path
from reflexarc.engines.ottl.values import field_at, int64
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.slots import (
    Attribute,
    Slot,
    indexes_into,
    is_number,
    slot_of,
)


@dataclass(frozen=True, slots=True)
class SlotPaths:
    """Reads the paths of conditions that read nothing but these slots."""

    signal: OtlpSignal
    slots: tuple[Slot, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names of the arguments: a value for each slot."""
        return tuple(f"slot{number}" for number in range(len(self.slots)))

    def read(self, path: Path) -> Fragment:
        """Return the argument that a path is, or what its further keys lead to in it."""
        number = self.slots.index(slot_of(path, self.signal))
        name, slot = self.parameters[number], self.slots[number]
        keys = tuple(key.value for key in path.keys if isinstance(key, Literal))
        if inner := keys[indexes_into(slot) :]:
            return Fragment(
                f"_slot_at({name}, {inner!r})", can_error=True, names={"_slot_at": field_at}
            )
        if is_any(slot):
            return Fragment(name)
        return Fragment(name, "int" if is_number(slot, self.signal) else "string", optional=False)

    def compare(self, path: Path, comparator: Comparator, constant: object) -> Fragment | None:
        """Return None: an argument is as short as it can be."""
        del path, comparator, constant
        return None


def is_any(slot: Slot) -> bool:
    """Return whether a slot holds any kind of value, as attributes and bodies do."""
    return isinstance(slot, Attribute) or slot.name == "body"


def value_of(raw: Any, slot: Slot, signal: OtlpSignal) -> object:
    """Return the value of a slot by its raw form: an AnyValue's bytes, a text's, or a number."""
    if is_any(slot):
        return None if raw is None else any_value(AnyValue.FromString(raw))
    return int64(raw) if is_number(slot, signal) else raw.decode()
