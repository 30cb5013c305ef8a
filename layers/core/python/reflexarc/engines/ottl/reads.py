"""What a condition reads of the telemetry. Pure."""

from dataclasses import dataclass

from reflexarc.engines.ottl.check import values_of
from reflexarc.engines.ottl.functions import find
from reflexarc.engines.ottl.syntax import Call, Condition, Literal, Path


@dataclass(frozen=True, slots=True, order=True)
class Read:
    """A field, or one entry of it; `key` is None where the whole of it may be read."""

    context: str
    names: tuple[str, ...]
    key: str | None = None


def reads(condition: Condition) -> frozenset[Read]:
    """Return all that a condition may read."""
    found = set()
    for value in values_of(condition):
        if isinstance(value, Path):
            found.add(Read(value.context, value.names, _key(value)))
        elif isinstance(value, Call) and (converter := find(value.name)) and converter.reads:
            found.add(Read(converter.reads[0], converter.reads[1:]))
    return frozenset(found)


def _key(path: Path) -> str | None:
    first = path.keys[0] if path.keys else None
    return first.value if isinstance(first, Literal) and isinstance(first.value, str) else None
