"""Joins the lines of an event that the kernel prints in several; delays none."""

import re
from collections import deque

from reflexarc.gpu.parse import parse

# The three lines leave one printk call; other lines come between them only from other CPUs.
REACH = 16
_HEADS_MAX = 8

_HEAD_WORDS = "The NVIDIA GPU"  # a search for the whole pattern costs ten times as much
_HEAD = re.compile(r"NVRM:\s*The NVIDIA GPU\s+[0-9a-f:.]+", re.IGNORECASE | re.ASCII)
_MIDDLE = re.compile(r"NVRM:.*installed in this system", re.IGNORECASE | re.ASCII)
_TAIL = re.compile(r"NVRM:.*fallen off the bus", re.IGNORECASE | re.ASCII)
_CARRIES_ON = re.compile(r"installed in this system(?:\s+has\b.*)?\s*\Z", re.IGNORECASE)


def _lacks_address(line: str) -> bool:
    fault = parse(line)
    return fault.kind == "lost" and fault.pci is None


class EventLines:
    """Gives each line back at once; the line that completes an event comes with its first lines.

    The driver prints "The NVIDIA GPU <address>", "installed in this system has" and "fallen off the
    bus" on lines of their own: the address is what the last one lacks. Lines that are fed between
    them go through untouched. Holds no more than a few lines.
    """

    def __init__(self) -> None:
        self._fed = 0
        self._heads: deque[tuple[int, list[str]]] = deque(maxlen=_HEADS_MAX)

    def feed(self, line: str) -> str:
        """Return the line, or the joined event that it completes."""
        self._fed += 1
        if "NVRM" not in line:
            return line
        if not self._heads:
            if _HEAD_WORDS in line and _HEAD.search(line) and not _TAIL.search(line):
                self._heads.append((self._fed, [line]))
            return line
        return self._continue(line)

    def _continue(self, line: str) -> str:
        while self._heads and self._fed - self._heads[0][0] > REACH:
            self._heads.popleft()
        if _TAIL.search(line):
            if not self._heads or not _lacks_address(line):
                return line
            _at, lines = self._heads.popleft()
            return "\n".join([*lines, line])
        if _HEAD.search(line):
            self._heads.append((self._fed, [line]))
        elif _MIDDLE.search(line):
            self._middle(line)
        return line

    def _middle(self, line: str) -> None:
        """Add to the first event that still lacks its middle, or end it if it is another story."""
        waiting = next((head for head in self._heads if len(head[1]) == 1), None)
        if waiting is None:
            return
        if _CARRIES_ON.search(line):
            waiting[1].append(line)
        else:  # "... is not supported by the NVIDIA driver"
            self._heads.remove(waiting)
