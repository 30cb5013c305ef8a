"""Everything that is wrong with a configuration document, each with its place: what a push asks.

A part that is malformed does not hide what is wrong with the others: it is taken out, and the rest
is looked at as if it were there.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from reflexarc.incidents.checks import Place, Problem
from reflexarc.incidents.push_checks import problems
from reflexarc.runtime.config import Configuration

# The first look finds what is malformed; a second or third, what fails once that is gone.
_LOOKS = 3
_WORDS = {
    "extra_forbidden": "there is no such setting (a typo?)",
    "missing": "this is missing",
    "string_type": "this should be text: write it in quotes",
    "timezone_aware": "say the zone of this time: end it with Z or +01:00",
}


def examine(document: object, now: datetime) -> tuple[Problem, ...]:
    """Return every problem of a document as YAML or JSON gave it; the malformed parts first."""
    malformed, config, gone = _read(document)
    if config is None or config.incidents is None:
        return malformed
    found = problems(config.incidents, now, gone.names)
    if malformed:
        # What nothing uses, and who is told of nothing, may be due to what was taken out.
        found = tuple(problem for problem in found if problem.level == "error")
    return (*malformed, *(gone.placed(problem) for problem in found))


class _Gone:
    """What was taken out of the lists under `incidents`: names, and where the others stood."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self._stood: dict[str, list[int]] = {}

    def take(self, document: dict[str, Any], place: Place) -> None:
        """Take out the list's entry that a place is in, or the key that it names."""
        part: Any = document
        for depth, key in enumerate(place):
            if isinstance(part, list) and isinstance(key, int):
                self._entry(part, place[:depth], key)
                return
            if not isinstance(part, dict) or key not in part:
                return
            if depth == len(place) - 1:
                del part[key]
                return
            part = part[key]

    def _entry(self, entries: list[Any], place: Place, number: int) -> None:
        """Take out an entry by its number in the list as it is now."""
        stood = self._stood.setdefault(str(place[-1]), list(range(len(entries))))
        if place[:1] == ("incidents",):
            stood.pop(number)
        entry = entries.pop(number)
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            self.names |= {entry["name"]}

    def placed(self, problem: Problem) -> Problem:
        """Return a problem of the incidents part where it stands in the whole document."""
        part, *rest = problem.place
        stood = self._stood.get(str(part))
        if stood and rest and isinstance(rest[0], int):
            rest[0] = stood[rest[0]]
        return replace(problem, place=("incidents", part, *rest))


def _read(document: object) -> tuple[tuple[Problem, ...], Configuration | None, _Gone]:
    rest, gone = json.loads(json.dumps(document)), _Gone()
    found: tuple[Problem, ...] = ()
    for _ in range(_LOOKS):
        try:
            return found, Configuration.model_validate_json(json.dumps(rest)), gone
        except ValidationError as error:
            wrong = _malformed(error)
        if not found:
            found = wrong
        if not isinstance(rest, dict):
            break
        # From the last to the first, so that a number still says which entry is meant.
        for place in sorted({_cut(each.place) for each in wrong}, key=_order, reverse=True):
            gone.take(rest, place)
    return found, None, gone


def _malformed(error: ValidationError) -> tuple[Problem, ...]:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple(
        Problem(
            place=problem["loc"],
            what=_WORDS.get(problem["type"]) or problem["msg"].removeprefix("Value error, "),
        )
        for problem in found
    )


def _cut(place: Place) -> Place:
    """Return the entry of a list that a place is in, or the place itself."""
    numbers = (depth for depth, key in enumerate(place, start=1) if isinstance(key, int))
    return place[: next(numbers, len(place))]


def _order(place: Place) -> tuple[tuple[str, int], ...]:
    return tuple(("", key) if isinstance(key, int) else (key, 0) for key in place)
