r"""Reads texts that are JSON, or hold JSON, as what they say: `\u0040` is "@", `\n` no letter.

A view is the text with one level of JSON's escapes undone, and knows where each of its bytes came
from. JSON inside JSON has two levels, and so on: there are as many views as there are levels.

https://www.rfc-editor.org/rfc/rfc8259#section-7
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

from reflexarc.engines.redact.linear import compile_bytes

LEVELS_MAX = 5  # a tool's arguments in a message in a request in an attribute in a log body
# Linear: each alternative has a fixed length.
_ESCAPE = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|([\"\\/bfnrt]))")
_SIMPLE = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_UNPAIRED = range(0xD800, 0xE000)

# Without a backslash nothing is escaped; of what is, this can be part of what a detector looks for:
# an escaped character of ASCII, and a URL with a password.
CANDIDATES = (compile_bytes(rb":\\+/\\+/[^\s/?#@:\"'<>]*:[^\s/?#\"'<>]*@"),)
RARE = (b"\\u002", b"\\u003", b"\\u004", b"\\u005", b"\\u006", b"\\u007")
_HIDDEN = compile_bytes(rb"\\u00[2-7]")
ANY = (compile_bytes(rb"\\"),)


@dataclass(frozen=True, slots=True)
class View:
    """A text and where it comes from: `places[i]` of the view below stands at `offsets[i]`."""

    text: bytes
    below: "View | None" = None
    offsets: tuple[int, ...] = (0,)
    places: tuple[int, ...] = (0,)

    def place(self, offset: int) -> int:
        """Return where in the original text this offset of the view is."""
        if self.below is None:
            return offset
        index = bisect_right(self.offsets, offset) - 1
        return self.below.place(self.places[index] + offset - self.offsets[index])

    def after_escape(self, start: int) -> int:
        """Return where the rest begins of what starts in the midst of an escape."""
        if not start or self.text[start - 1 : start] != b"\\":
            return start
        escape = _ESCAPE.match(self.text, start - 1)
        return start if escape is None else escape.end()


def views(text: bytes) -> list[View]:
    """Return the text as it is and as what it says on each level."""
    seen = [View(text)]
    while b"\\" in seen[-1].text and len(seen) <= LEVELS_MAX:
        view = _unescaped(seen[-1])
        if view is None:
            break
        seen.append(view)
    return seen


def hides_something(view: View) -> bool:
    """Return whether so many levels were not enough: characters of ASCII are still escaped."""
    return _HIDDEN.search(view.text) is not None


def _unescaped(view: View) -> View | None:
    """Return what the text says, or None where nothing is escaped."""
    parts: list[bytes] = []
    offsets, places = [0], [0]
    done = offset = 0
    for match in _ESCAPE.finditer(view.text):
        said = _said(match)
        parts += (view.text[done : match.start()], said)
        offset += match.start() - done + len(said)
        done = match.end()
        offsets.append(offset)
        places.append(done)
    if not done:
        return None
    parts.append(view.text[done:])
    return View(b"".join(parts), view, tuple(offsets), tuple(places))


def _said(match: re.Match[bytes]) -> bytes:
    code, simple = match.groups()
    if simple is not None:
        return _SIMPLE.get(simple, simple)
    number = int(code, 16)
    return b"?" if number in _UNPAIRED else chr(number).encode()
