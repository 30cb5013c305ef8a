"""Who wants an item kept, whatever the rules say. Asked only of items that a rule would take."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.telemetry.plan.clauses import Clause, Find, Test, nothing
from reflexarc.telemetry.plan.whole import Owner, Whole

# An item, its plain fields, its attributes (None: no look at them is due), all of it, and the
# clauses that may still hold.
Judged = tuple[int, Any, Find | None, Whole, Sequence[int]]
_Check = tuple[str, Test | None, Test | None, Callable[[Owner], bool] | None]


class Guards:
    """Conditions under which an item stays, each with the name of who reads such items."""

    def __init__(self, clauses: Sequence[tuple[str, Clause]] = ()) -> None:
        self._clauses = clauses

    @cached_property
    def _checks(self) -> Sequence[_Check]:
        return [(name, each.header, each.rest, each.shared) for name, each in self._clauses]

    @cached_property
    def doubts(self) -> frozenset[int] | None:
        """Return the doubts that call for a look at attributes; None where a look is always due."""
        found: frozenset[int] = frozenset()
        for _, clause in self._clauses:
            if clause.doubts is None:
                return None
            found |= clause.doubts
        return found

    def holding(self, judged: Judged) -> str:
        """Return the first who wants an item kept, nothing where nobody does."""
        _, fields, find, whole, _ = judged
        who = ""
        try:
            for who, header, rest, shared in self._checks:
                if (
                    (header is None or header(fields, nothing, None))
                    and (rest is None or (find is not None and rest(fields, find, whole)))
                    and (shared is None or shared(whole.owner))
                ):
                    return who
        except EvaluationError:
            # Whoever reads such items may read this one.
            return who
        return ""
