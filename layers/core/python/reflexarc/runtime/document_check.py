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

from reflexarc.events.problems import Place, Problem, malformed_of
from reflexarc.incidents.push_checks import problems
from reflexarc.runtime.config import Configuration


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

    def take(self, document: object, place: Place) -> None:
        """Take out the list's entry that a place is in, or else the setting that it names."""
        holder: dict[Any, Any] = {}
        name: str | int = ""
        part: Any = document
        for depth, key in enumerate(place):
            if isinstance(part, list):
                self._entry(part, place[:depth], int(key))
                return
            if not isinstance(part, dict) or key not in part:
                break
            holder, name, part = part, key, part[key]
        taken = holder.pop(name, None)
        if isinstance(taken, list):
            self._know(*taken)

    def _entry(self, entries: list[Any], place: Place, number: int) -> None:
        """Take out an entry by its number in the list as it is now."""
        if place[0] == "incidents":
            self._stood.setdefault(str(place[-1]), list(range(len(entries)))).pop(number)
        self._know(entries.pop(number))

    def _know(self, *entries: object) -> None:
        names = (entry.get("name") for entry in entries if isinstance(entry, Mapping))
        self.names |= {name for name in names if isinstance(name, str)}

    def placed(self, problem: Problem) -> Problem:
        """Return a problem of the incidents part where it stands in the whole document."""
        part, *rest = problem.place
        stood = self._stood.get(str(part))
        if stood and rest and isinstance(rest[0], int):
            rest[0] = stood[rest[0]]
        return replace(problem, place=("incidents", part, *rest))


def _read(document: object) -> tuple[tuple[Problem, ...], Configuration | None, _Gone]:
    """Return what is malformed, and the rest if it can be read at all."""
    text, gone = json.dumps(document), _Gone()
    try:
        return (), Configuration.model_validate_json(text), gone
    except ValidationError as error:
        malformed = malformed_of(error)
    rest = json.loads(text)
    # From the last to the first, so that a number still says which entry is meant.
    for place in sorted({_cut(each.place) for each in malformed}, key=_order, reverse=True):
        gone.take(rest, place)
    try:
        return malformed, Configuration.model_validate_json(json.dumps(rest)), gone
    except ValidationError:
        return malformed, None, gone


def _cut(place: Place) -> Place:
    """Return the entry of a list that a place is in, or the place itself."""
    numbers = (depth for depth, key in enumerate(place, start=1) if isinstance(key, int))
    return place[: next(numbers, len(place))]


def _order(place: Place) -> tuple[tuple[str, int], ...]:
    return tuple(("", key) if isinstance(key, int) else (key, 0) for key in place)
