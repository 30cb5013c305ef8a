"""Rules against what is expensive and unread, made of telemetry that came. Pure.

What a reader or a guard wants is never suggested: each rule is held against both, as at a push.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from reflexarc.events.reads import Read
from reflexarc.telemetry.checking import examine, refused
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.suggesting import probes
from reflexarc.telemetry.suggesting.logs import Logs
from reflexarc.telemetry.suggesting.metrics import Metrics
from reflexarc.telemetry.suggesting.model import Finding, Suggestion
from reflexarc.telemetry.suggesting.spans import Spans
from reflexarc.telemetry.suggesting.wording import slug

# Long enough to see what is missed, short enough to be asked again.
LASTS = timedelta(days=90)
FINDINGS_MAX = 12
NOBODY = "FILL IN: who answers for this rule"


@dataclass(slots=True)
class Suggesting:
    """Looks at batches, and knows which rules would take away what nobody needs."""

    spans: Spans = field(default_factory=Spans)
    logs: Logs = field(default_factory=Logs)
    metrics: Metrics = field(default_factory=Metrics)

    def take(self, batch: Batch) -> None:
        """Take note of a batch that can be read."""
        match batch.signal:
            case "traces":
                self.spans.take(batch.payload)
            case "logs":
                self.logs.take(batch.payload)
            case _:
                self.metrics.take(batch.payload)

    def findings(self) -> list[Finding]:
        """Return what no rule can mend, what costs most first."""
        found = [*self.spans.findings(), *self.logs.findings(), *self.metrics.findings()]
        return sorted(found, key=lambda finding: -finding.size)[:FINDINGS_MAX]

    def rules(
        self, reads: Sequence[Read], today: date, *, owner: str = NOBODY, taken: Iterable[str] = ()
    ) -> list[Mapping[str, Any]]:
        """Return rules as documents, in shadow, that a check has nothing against.

        `taken` are names that other rules have.
        """
        names = set(taken)
        made: list[Mapping[str, Any]] = []
        for suggestion in self._suggestions():
            rule = _document(suggestion, slug(suggestion.name, names), owner, today + LASTS)
            # A rule in shadow blinds nobody yet, and is to be live some day.
            live = {**rule, "shadow": False}
            if not refused(examine({"rules": [live]}, reads, today)):
                names.add(rule["name"])
                made.append(rule)
        return made

    def _suggestions(self) -> Iterator[Suggestion]:
        yield from probes.suggestions(
            {"traces": self.spans.seen.paths, "logs": self.logs.seen.paths},
            {"traces": self.spans.seen.agents, "logs": self.logs.seen.agents},
        )
        yield from self.logs.suggestions()
        yield from self.metrics.suggestions()
        yield from self.spans.suggestions()


def _document(suggestion: Suggestion, name: str, owner: str, expires: date) -> dict[str, Any]:
    return {
        "name": name,
        "action": suggestion.action,
        **suggestion.settings,
        "owner": owner,
        "reason": suggestion.reason[:500],
        "expires": expires.isoformat(),
        "shadow": True,
        "filter": dict(suggestion.filter),
    }
