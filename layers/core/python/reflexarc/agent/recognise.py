"""Tells fault lines from the rest of a log, one reader a source."""

from dataclasses import dataclass

from reflexarc.gpu.identity import collapse_key
from reflexarc.gpu.lines import EventLines
from reflexarc.gpu.parse import parse


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

    def see(self, text: str) -> Sighting | None:
        """Return what the line reports; None for all lines that are not ours."""
        event = self._event_lines.feed(text)
        fault = parse(event)
        if fault.kind == "none" and not fault.suspicious:
            return None
        return Sighting(event, repr(collapse_key(fault, event)), fault.suspicious)
