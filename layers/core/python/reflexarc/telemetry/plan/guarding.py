"""Who wants an item kept, whatever the rules say. Asked only of items that a rule would take."""

from collections.abc import Sequence
from dataclasses import dataclass

from reflexarc.telemetry.plan.clauses import Clause
from reflexarc.telemetry.plan.items import Judged


@dataclass(frozen=True, slots=True)
class Guards:
    """Conditions under which an item stays, each with the name of who reads such items."""

    clauses: Sequence[tuple[str, Clause]] = ()

    def holding(self, judged: Judged) -> str:
        """Return the first who wants an item kept, nothing where nobody does."""
        _, fields, find, whole, _ = judged
        resource = whole.resource_part.rest
        for name, clause in self.clauses:
            if (
                clause.alive(resource, whole.resources)
                and clause.holds_so_far(fields, whole)
                and clause.holds(fields, find, whole)
            ):
                return name
        return ""
