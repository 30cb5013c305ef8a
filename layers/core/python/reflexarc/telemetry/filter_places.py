"""Where the conditions of a `filter:` block stand in it, and what is wrong with each. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from reflexarc.engines.ottl.filter_config import parse_filter
from reflexarc.engines.ottl.syntax import OttlError
from reflexarc.events.problems import Place, Problem
from reflexarc.kernel.errors import Rejected


def places_of(block: object, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield every text in a block's lists, which are its conditions, with its place."""
    if isinstance(block, list | tuple):
        for number, each in enumerate(block):
            if isinstance(each, str):
                yield (*place, number), each
            else:
                yield from places_of(each, (*place, number))
    elif isinstance(block, Mapping):
        for key, each in block.items():
            yield from places_of(each, (*place, str(key)))


def filter_problems(block: object, place: Place) -> Iterator[Problem]:
    """Yield what is wrong with a block that is refused: with its form, and with each condition.

    A condition is judged in the block as if it were alone there, so that one does not hide another.
    """
    if form := _refusal(_bare(block)):
        yield Problem(place=place, what=str(form))
    for each, _ in places_of(block):
        error = _refusal(_alone(block, each))
        if isinstance(error, OttlError):
            yield Problem(place=(*place, *each), what=_pointing(error))
        elif error and not form:
            yield Problem(place=(*place, *each), what=str(error))


def _refusal(block: object) -> Rejected | None:
    try:
        parse_filter(block)
    except Rejected as error:
        return error
    return None


def _bare(block: Any) -> Any:
    """Return a block without its conditions."""
    if isinstance(block, list | tuple):
        return [_bare(each) for each in block if not isinstance(each, str)]
    if isinstance(block, Mapping):
        return {key: _bare(each) for key, each in block.items()}
    return block


def _alone(block: Any, place: Place) -> Any:
    """Return a block with one of its conditions and the settings of its groups."""
    first, *rest = place
    if not rest:
        return [block[first]]
    inner = _alone(block[first], tuple(rest))
    if isinstance(block, Mapping):
        settings = {key: value for key, value in block.items() if isinstance(value, str)}
        return settings | {first: inner}
    return [inner]


def _pointing(error: OttlError) -> str:
    """Return what is wrong, with the line of the condition and a pointer below it."""
    reason = error.reason.partition(": ")[2]
    behind = error.condition[: error.column - 1].rpartition("\n")[2]
    line = behind + error.condition[error.column - 1 :].partition("\n")[0]
    return f"column {error.column}: {reason}\n    {line}\n    {' ' * len(behind)}^"
