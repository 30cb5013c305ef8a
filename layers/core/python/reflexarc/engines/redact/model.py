"""What redaction finds and returns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Interval = tuple[int, int]


class Found(NamedTuple):
    """A part of a text that must go, and what it is."""

    start: int
    end: int
    kind: str


class Detector(Protocol):
    """Finds one kind of thing in a text, exactly, and in time linear in its length.

    Texts are bytes, in UTF-8 where their sender kept to the rules. What is found is made of whole
    characters.
    """

    @property
    def kind(self) -> str:
        """What it finds; names the count, and stands in the replacement."""
        ...

    def find(self, text: bytes) -> Iterator[Interval]:
        """Yield where it stands, from left to right."""
        ...


@dataclass(frozen=True, slots=True)
class Redacted:
    """A request without what must not leave, and how often each kind was found in it.

    `payload` is the very object that came in where nothing was found.
    """

    payload: bytes
    counts: Mapping[str, int]
