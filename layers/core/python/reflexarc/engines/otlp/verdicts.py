"""What was found wrong with an export request, and what of it may go on."""

from dataclasses import dataclass, field

from reflexarc.kernel.errors import Rejected

# Of resources, of scopes and of items: a Collector's batch has 8,192 items unless told otherwise.
# Each costs whoever takes a request apart after us a little, however few bytes it has.
PARTS_MAX = 100_000
_TOLD_MAX = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may go on, and how much that is. `rejected` counts data points where it is metrics."""

    payload: bytes
    items: int
    rejected: int = 0
    said: str = ""


class NotOtlp(Rejected):
    """The bytes are no export request at all."""


class TooManyParts(Rejected):
    """A request is readable, and made of more than anybody wants to take apart."""

    def __init__(self, of: str = f"{PARTS_MAX:,} items, scopes or resources") -> None:
        super().__init__(f"the request has more than {of}")


@dataclass(slots=True)
class Notes:
    """Everything found wrong, like with like: where first, and how often."""

    rejected: int = 0
    _found: dict[str, tuple[str, int]] = field(default_factory=dict)

    def add(self, reason: str, where: str, lost: int = 0) -> None:
        """Note one more that is wrong, and how many items are lost by it."""
        first, number = self._found.get(reason, (where, 0))
        self._found[reason] = first, number + 1
        self.rejected += lost

    @property
    def said(self) -> str:
        """Return all of it in words, of a length that an answer can bear."""
        told = [
            f"{reason} ({where}{f' and {number - 1:,} more' if number > 1 else ''})"
            for reason, (where, number) in list(self._found.items())[:_TOLD_MAX]
        ]
        more = len(self._found) - len(told)
        return "; ".join(told) + (f"; and {more} other reasons" if more else "")
