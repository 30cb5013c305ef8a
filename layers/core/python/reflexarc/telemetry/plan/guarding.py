"""Who wants an item kept, whatever the rules say. Asked only of items that a rule would take."""

from collections.abc import Sequence
from dataclasses import dataclass

from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.telemetry.plan.clauses import Clause, nothing
from reflexarc.telemetry.plan.items import Judged


@dataclass(frozen=True, slots=True)
class Guards:
    """Conditions under which an item stays, each with the name of who reads such items."""

    clauses: Sequence[tuple[str, Clause]] = ()

    def holding(self, judged: Judged) -> str:
        """Return the first who wants an item kept, nothing where nobody does."""
        _, fields, find, whole, _ = judged
        for name, clause in self.clauses:
            header = clause.header
            try:
                if header is None or header(fields, nothing, None):
                    rest = clause.rest
                    if (rest is None or rest(fields, find, whole)) and (
                        clause.shared is None or clause.shared(whole.owner)
                    ):
                        return name
            except EvaluationError:
                # Whoever reads such items may read this one.
                return name
        return ""
