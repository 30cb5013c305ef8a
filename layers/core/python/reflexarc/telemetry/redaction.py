"""All that redacts: the policy that always holds, and after it the rules that redact.

Fills ports.Redactor.
"""

from collections import Counter
from dataclasses import dataclass

from reflexarc.engines.redact.model import Redacted
from reflexarc.engines.redact.payload import Redactor
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Redaction:
    """Takes out what must not leave; the very object comes back where nothing must go."""

    always: Redactor
    rules: RuleSet

    def apply(self, signal: OtlpSignal, payload: bytes, *, parsed: bool = False) -> Redacted:
        """Return the request as it may leave; raises Rejected where it is none."""
        first = self.always.apply(signal, payload, parsed=parsed)
        left, more = self.rules.redact(signal, first.payload)
        return Redacted(left, Counter(first.counts) + Counter(more))
