"""Tells fault lines from the rest of a log, one reader a source."""

from dataclasses import dataclass

from reflexarc.gpu.identity import collapse_key
from reflexarc.gpu.lines import EventLines
from reflexarc.gpu.parse import parse

# A storm repeats a few lines hundreds of thousands of times; they are taken apart once.
_KNOWN_MAX = 256


@dataclass(frozen=True, slots=True)
class Sighting:
    """A line that reports a fault, or looks as if it did.

    `text` may be several lines that one event printed; `key` is shared by repeats of the fault.
    """

    text: str
    key: str
    suspicious: bool


class Recogniser:
    """Reads one source's lines in their order, because one event may span several."""

    def __init__(self) -> None:
        self._event_lines = EventLines()
        self._known: dict[str, Sighting] = {}

    def see(self, text: str) -> Sighting | None:
        """Return what the line reports; None for all lines that are not ours."""
        event = self._event_lines.feed(text)
        if known := self._known.get(event):
            return known
        fault = parse(event)
        if fault.kind == "none" and not fault.suspicious:
            return None
        sighting = Sighting(event, repr(collapse_key(fault, event)), fault.suspicious)
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[event] = sighting
        return sighting
