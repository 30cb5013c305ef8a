"""What is wrong with a document whose every part is well formed: names that lead nowhere. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reflexarc.incidents.config import IncidentsConfig

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
        return f"{'.'.join(str(part) for part in self.place)}: {self.what}"


def broken_names(config: IncidentsConfig) -> tuple[Problem, ...]:
    """Return where a document names a channel or hours that are not there, or one name twice."""
    channels = [channel.name for channel in config.channels]
    hours = [each.name for each in config.hours]
    return (
        *_twice(("channels",), channels, "channels"),
        *_twice(("hours",), hours, "hours"),
        *_nowhere(config, channels),
        *_no_hours(config, hours),
    )


def _nowhere(config: IncidentsConfig, channels: Sequence[str]) -> Iterator[Problem]:
    for number, route in enumerate(config.routes):
        here: Place = ("routes", number)
        named = [((*here, "channels", n), name) for n, name in enumerate(route.channels)]
        named += [
            ((*here, "escalate", n, "channels", m), name)
            for n, step in enumerate(route.escalate)
            for m, name in enumerate(step.channels)
        ]
        for place, name in named:
            if name not in channels:
                known = ", ".join(channels)
                yield Problem(place=place, what=f"there is no channel {name}; there are: {known}")


def _no_hours(config: IncidentsConfig, hours: Sequence[str]) -> Iterator[Problem]:
    named = [(("routes", number), route.during) for number, route in enumerate(config.routes)]
    named += [(("maintenance", n), work.during) for n, work in enumerate(config.maintenance)]
    for place, name in named:
        if name and name not in hours:
            known = ", ".join(hours) or "none"
            what = f"there are no hours {name}; there are: {known}"
            yield Problem(place=(*place, "during"), what=what)


def _twice(place: Place, names: Sequence[str], what: str) -> Iterator[Problem]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Problem(
                place=(*place, number, "name"), what=f"more than one of the {what} is named {name}"
            )
