"""The places of an item that a condition can read without decoding the item. Pure."""

from dataclasses import dataclass

from reflexarc.engines.otlp.shadow import HEADERS
from reflexarc.engines.ottl.syntax import Literal, Path
from reflexarc.events.otlp_batch import OtlpSignal

# The OTTL context of an item of each signal.
ITEM_CONTEXT: dict[OtlpSignal, str] = {"traces": "span", "metrics": "metric", "logs": "log"}
# What stands before the text of these fields.
TEXT_TAGS: dict[OtlpSignal, dict[str, int]] = {
    "traces": {"name": 0x2A},
    "metrics": {"name": 0x0A, "description": 0x12, "unit": 0x1A},
    "logs": {"severity_text": 0x1A, "event_name": 0x62},
}
_NUMBERS: dict[OtlpSignal, frozenset[str]] = {
    "traces": frozenset({"kind", "status.code", "start_time_unix_nano", "end_time_unix_nano"}),
    "metrics": frozenset(),
    "logs": frozenset({"severity_number", "time_unix_nano"}),
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the item; its raw form is the bytes of its AnyValue, None where absent."""

    key: str


@dataclass(frozen=True, slots=True)
class Header:
    """A plain field of the item, by the name that OTTL gives it; a log's body is one."""

    name: str


Slot = Attribute | Header


def slot_of(path: Path, signal: OtlpSignal) -> Slot | None:
    """Return the slot that a path reads; None where it reads something else.

    What lies within an attribute is read of the whole item: of what is missing there OTTL says
    other things than of what is empty. A body may be led into.
    """
    if path.context != ITEM_CONTEXT[signal]:
        return None
    name = ".".join(path.names)
    if name == "attributes" and signal != "metrics" and len(path.keys) == 1:
        key = path.keys[0]
        if isinstance(key, Literal) and isinstance(key.value, str):
            return Attribute(key.value)
        return None
    if signal == "logs" and name == "body":
        return Header(name)
    plain = name in TEXT_TAGS[signal] or name in _NUMBERS[signal]
    return Header(name) if plain else None


def indexes_into(slot: Slot) -> int:
    """Return how many keys of a path say which slot it is; more of them lead into its value."""
    return 1 if isinstance(slot, Attribute) else 0


def is_number(slot: Slot, signal: OtlpSignal) -> bool:
    """Return whether a slot holds a whole number."""
    return isinstance(slot, Header) and slot.name in _NUMBERS[signal]


assert all(  # noqa: S101 - the two tables are one fact
    name in HEADERS[signal]
    for signal in TEXT_TAGS
    for name in (*TEXT_TAGS[signal], *_NUMBERS[signal])
)
