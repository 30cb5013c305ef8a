"""Rules that redact: what a policy of their own finds in the items for which they hold.

They come after the redaction that always runs and before everything else, and all that hold apply,
whatever other rule decides about the item. A condition on points or events holds for an item of
which one meets it. An item that such a rule cannot judge is redacted: doubt lets no text out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.otlp.splicing import spliced
from reflexarc.engines.otlp.wire import field_of, occurrences
from reflexarc.engines.redact.payload import Redactor
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.clauses import nothing
from reflexarc.telemetry.plan.guarding import Judged
from reflexarc.telemetry.plan.items import ItemPlan

_INNER = 2  # the field of a resource that holds scopes, and of a scope that holds items


@dataclass(frozen=True, slots=True)
class RedactionRules:
    """The redacting rules of one signal. `redactors` stand by the rules' places in the plan."""

    signal: OtlpSignal
    plan: ItemPlan
    redactors: Sequence[Redactor]

    def apply(self, payload: bytes, counts: Counter[str]) -> bytes:
        """Return the request as it may leave, and count what was found.

        The object that came in is returned where nothing was; raises Malformed for no request.
        """
        hits = self.plan.hits(payload)
        if hits is None:
            return payload
        parts = framed(payload)
        changed: dict[int, bytes | None] = {}
        for judged in self.plan.judged(parts, hits):
            message = redacted = parts.item(judged[0])
            for rule in self._holding(judged):
                redacted = self._redacted(rule, redacted, counts)
            if redacted is not message:
                changed[judged[0]] = b"".join(field_of(_INNER, redacted))
        return spliced(parts, changed)

    def _holding(self, judged: Judged) -> Iterable[int]:
        """Return the rules that hold for an item, or cannot tell."""
        _, fields, find, whole, numbers = judged
        clauses = [self.plan.clauses[number] for number in numbers]
        holding = {
            clause.rule
            for clause in clauses
            if clause.holds(fields, find or nothing, whole) and clause.holds_for_any(whole)
        }
        return sorted(holding)

    def _redacted(self, rule: int, message: bytes, counts: Counter[str]) -> bytes:
        """Return an item as the policy of a rule leaves it; the same object where it finds none."""
        request = b"".join(
            field_of(1, b"".join(field_of(_INNER, b"".join(field_of(_INNER, message)))))
        )
        done = self.redactors[rule].apply(self.signal, request)
        if done.payload is request:
            return message
        counts.update(done.counts)
        scope = occurrences(occurrences(done.payload, 1)[0], _INNER)[0]
        return occurrences(scope, _INNER)[0]
