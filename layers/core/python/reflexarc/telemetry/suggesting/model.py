"""What is suggested: a rule that is ready, or a finding that no rule can mend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.model import Action

_LISTS: Mapping[OtlpSignal, str] = {"traces": "span", "metrics": "metric", "logs": "log_record"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A rule: what it is called, what it does to which items, and why nobody misses them."""

    name: str
    action: Action
    conditions: Mapping[OtlpSignal, Sequence[str]]
    reason: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def filter(self) -> Mapping[str, Any]:
        """Return the block of a filter processor."""
        return {signal: {_LISTS[signal]: list(texts)} for signal, texts in self.conditions.items()}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that costs and that a rule cannot mend; `size` is what it takes, in bytes."""

    what: str
    advice: str
    size: int = 0
