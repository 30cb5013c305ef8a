"""Names in a document that lead nowhere: the one thing that a reader must not accept. Pure."""

from collections.abc import Iterator, Sequence

from reflexarc.events.problems import Place, Problem
from reflexarc.incidents.config import IncidentsConfig


def broken_names(
    config: IncidentsConfig, known: frozenset[str] = frozenset()
) -> tuple[Problem, ...]:
    """Return where a document names a channel or hours that are not there, or one name twice.

    `known` are names that count as there: those of parts that could not be read.
    """
    channels = [channel.name for channel in config.channels]
    hours = [each.name for each in config.hours]
    return (
        *_nobody(channels, known),
        *named_twice("channels", channels),
        *named_twice("hours", hours),
        *_missing(_channels_named(config), channels, known, "channel"),
        *_missing(_hours_named(config), hours, known, "hours"),
    )


def named_twice(part: str, names: Sequence[str], key: str = "name") -> Iterator[Problem]:
    """Yield each name of a part that was there before; what has no name is left alone."""
    for number, name in enumerate(names):
        if name and name in names[:number]:
            what = f"more than one of the {part} is named {name}"
            yield Problem(place=(part, number, key), what=what)


def _nobody(channels: Sequence[str], known: frozenset[str]) -> Iterator[Problem]:
    if not channels and not known:
        yield Problem(place=("channels",), what="there is no channel: nobody can be told anything")


def _missing(
    named: Iterator[tuple[Place, str]], there: Sequence[str], known: frozenset[str], what: str
) -> Iterator[Problem]:
    for place, name in named:
        if name and name not in there and name not in known:
            are = "is no" if what == "channel" else "are no"
            # Where some could not be read, a list of the others would mislead.
            others = "" if known else f"; there are: {', '.join(there) or 'none'}"
            yield Problem(place=place, what=f"there {are} {what} {name}{others}")


def _channels_named(config: IncidentsConfig) -> Iterator[tuple[Place, str]]:
    for number, route in enumerate(config.routes):
        for at, name in enumerate(route.channels):
            yield ("routes", number, "channels", at), name
        for step, escalation in enumerate(route.escalate):
            for at, name in enumerate(escalation.channels):
                yield ("routes", number, "escalate", step, "channels", at), name


def _hours_named(config: IncidentsConfig) -> Iterator[tuple[Place, str]]:
    for number, route in enumerate(config.routes):
        yield ("routes", number, "during"), route.during
    for number, work in enumerate(config.maintenance):
        yield ("maintenance", number, "during"), work.during
