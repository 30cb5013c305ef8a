"""Tells fault lines from the rest of a log, one reader a source."""

from dataclasses import dataclass

from reflexarc.gpu.identity import collapse_key, companion, device_of
from reflexarc.gpu.lines import EventLines
from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.parse import parse

# A storm repeats a few lines hundreds of thousands of times; they are taken apart once.
_KNOWN_MAX = 256
# An SXid prints up to three lines at once; in a storm the lines of many links interleave.
_EVENT_REACH = 64


@dataclass(frozen=True, slots=True)
class Sighting:
    """A line that reports a fault, or looks as if it did.

    `text` may be several lines that one event printed; `key` is shared by repeats of the fault;
    `fault` is the line taken apart.
    """

    text: str
    key: str
    fault: FaultLine

    @property
    def suspicious(self) -> bool:
        """Tell whether it looks like a fault and does not parse."""
        return self.fault.kind != "sxid" and self.fault.suspicious


class Recogniser:
    """Reads one source's lines in their order, because one event may span several.

    An SXid's severity and data lines belong to the event printed just before them and are no
    sightings of their own, or one fault would count as three. Without that event they are, and so
    is a severity line whose event did not say how grave it is.
    """

    def __init__(self) -> None:
        self._event_lines = EventLines()
        self._known: dict[str, Sighting] = {}
        self._fed = 0
        self._switch_events: dict[tuple[int | None, str], tuple[int, bool]] = {}

    def see(self, text: str) -> Sighting | None:
        """Return what the line reports; None for all lines that are not ours."""
        self._fed += 1
        event = self._event_lines.feed(text)
        if known := self._known.get(event):
            return known
        fault = parse(event)
        if fault.kind == "none" and not fault.suspicious:
            return None
        if fault.kind == "sxid":
            if self._completes_an_event(fault):
                return None
            return Sighting(event, repr(collapse_key(fault, event)), fault)
        sighting = Sighting(event, repr(collapse_key(fault, event)), fault)
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[event] = sighting
        return sighting

    def _completes_an_event(self, fault: FaultLine) -> bool:
        """Return whether an SXid line adds nothing to the event before it; remember new events."""
        about = fault.code, device_of(fault.pci)
        more = companion(fault)
        if more is None:
            if len(self._switch_events) >= _KNOWN_MAX:
                self._switch_events.clear()
            self._switch_events[about] = self._fed, fault.fatal is not None
            return False
        began, says_how_grave = self._switch_events.get(about, (-_EVENT_REACH - 1, False))
        near = self._fed - began <= _EVENT_REACH
        return near and (more.fatal is None or says_how_grave)
