"""What attributes weigh, and which of them say the same everywhere. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from reflexarc.telemetry.suggesting.distinct import Distinct
from reflexarc.telemetry.suggesting.model import Finding

KEYS_MAX = 2_000
# An attribute is worth a word when it takes so much of all bytes.
_HEAVY, _CONSTANT = 0.10, 0.01
_FRAME = 6
_EVERYWHERE = 0.5
_SHOWN = 5
# https://opentelemetry.io/docs/specs/semconv/gen-ai/, and the names of OpenInference.
_CONTENT = (
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.input",
    "gen_ai.output",
    "llm.",
    "input.value",
    "output.value",
)

_REDACTED = "[redacted:"


@dataclass(slots=True)
class _Key:
    size: int = 0
    number: int = 0
    sample: str = ""
    values: Distinct = field(default_factory=Distinct)

    @property
    def redacted(self) -> bool:
        """Return whether redaction made its values alike."""
        return _REDACTED in self.sample


@dataclass(slots=True)
class Attributes:
    """Counts the attributes of items."""

    items: int = 0
    size: int = 0
    _keys: dict[str, _Key] = field(default_factory=dict)

    def add(self, attributes: Iterable[KeyValue], size: int) -> None:
        """Take note of one item and its attributes."""
        self.items += 1
        self.size += size
        for each in attributes:
            found = self._keys.get(each.key)
            if found is None:
                if len(self._keys) >= KEYS_MAX:
                    continue
                found = self._keys[each.key] = _Key()
                found.sample = each.value.string_value[:60]
            value = each.value.SerializeToString()
            found.number += 1
            found.size += len(value) + len(each.key) + _FRAME
            found.values.add(hash(value))

    def findings(self, noun: str) -> Iterator[Finding]:
        """Yield attributes that cost; no rule takes a single attribute away."""
        heavy = sorted(self._keys.items(), key=lambda pair: -pair[1].size)
        found = (self._finding(name, key, noun) for name, key in heavy)
        yield from islice((each for each in found if each is not None), _SHOWN)

    def _finding(self, name: str, key: _Key, noun: str) -> Finding | None:
        share = key.size / self.size if self.size else 0
        everywhere = key.number >= _EVERYWHERE * self.items and self.items > 1
        if share >= _HEAVY and name.startswith(_CONTENT):
            return Finding(
                f"{name} is {100 * share:.0f} % of the bytes of {noun}",
                "what LLM calls said; where nothing judges it, `redaction: {content: remove}`",
                key.size,
            )
        if share >= _HEAVY:
            return Finding(
                f"{name} is {100 * share:.0f} % of the bytes of {noun},"
                f" with {key.values.count():,} values",
                "leave it out, or cut it short, where it is written",
                key.size,
            )
        if share >= _CONSTANT and everywhere and key.values.count() == 1 and not key.redacted:
            says = f" ({key.sample!r})" if key.sample else ""
            return Finding(
                f"{name} has one value{says} on {key.number:,} {noun}",
                "if it is of the whole process, set it on the resource: written once a batch",
                key.size,
            )
        return None
