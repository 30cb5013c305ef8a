"""What a document gets wrong, in words: one line a problem, its place first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, and where: the keys and positions that lead to it.

    An error keeps a document from being pushed, a warning does not.
    """

    place: Place
    what: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Return it in one line, the place first."""
        place = ".".join(str(part) for part in self.place)
        return f"{place}: {self.what}" if place else self.what


def first_of(problems: Sequence[str], most: int) -> tuple[str, str]:
    """Return the first problems as one text, and what says how many more there are, if any."""
    more = len(problems) - most
    return "; ".join(problems[:most]), f"; and {more} more" if more > 0 else ""


def problems_of(error: ValidationError, whole: str) -> list[str]:
    """Return "place: problem" for each; `whole` names the document itself.

    The input is left out: it may be hostile, huge, or secret.
    """
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [
        f"{'.'.join(str(part) for part in problem['loc']) or whole}: {problem['msg']}"
        for problem in found
    ]
