"""What a document gets wrong, in words: one line a problem, its place first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]

_WORDS = {
    "extra_forbidden": "there is no such setting (a typo?)",
    "missing": "this is missing",
    "model_type": "this should be settings, each as name: value",
    "dict_type": "this should be settings, each as name: value",
    "tuple_type": "this should be a list",
    "too_short": "this needs an entry at least",
    "string_type": "this should be text: write it in quotes",
    "mapping_type": "this should be settings, each as name: value",
    "date_from_datetime_parsing": "this should be a date, such as 2027-03-31",
    "timezone_aware": "say the zone of this time: end it with Z or +01:00",
}


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


def malformed_of(error: ValidationError, place: Place = ()) -> tuple[Problem, ...]:
    """Return what is malformed, each at its place, in words for who wrote it by hand.

    `place` is where the model stands in the document.
    """
    found = error.errors(include_url=False, include_input=False)
    within = {problem["loc"][:depth] for problem in found for depth in range(len(problem["loc"]))}
    return tuple(
        Problem(place=(*place, *problem["loc"]), what=_in_words(problem))
        for problem in found
        # A list whose only entry is malformed counts as empty too: that is one problem, not two.
        if problem["type"] != "too_short" or problem["loc"] not in within
    )


def _in_words(problem: ErrorDetails) -> str:
    if problem["type"] == "too_long":
        return f"this has too many entries: at most {problem['ctx']['max_length']} may be there"
    return _WORDS.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
