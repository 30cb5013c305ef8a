"""Patterns that are matched in linear time: RE2's, over bytes.

https://github.com/google/re2/wiki/Syntax - no look-around, no back references, no backtracking.
"""

from collections.abc import Iterator
from typing import Protocol

import re2

WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
DIGITS = frozenset(b"0123456789")
# What `relaxed` drops: it stands for a place, not for a character.
_PLACES = frozenset({"^", "$", "\\b", "\\B", "\\A", "\\z"})
_ANYWHERE = "(?:)"
_CLASS, _CLASS_END = "[", "]"


class Match(Protocol):
    """Where a pattern matched."""

    def span(self, group: int = 0, /) -> tuple[int, int]:
        """Return where the match, or a group of it, starts and ends."""
        ...

    def start(self) -> int:
        """Return where the match starts."""
        ...

    def end(self) -> int:
        """Return where the match ends."""
        ...

    def group(self) -> bytes:
        """Return what matched."""
        ...


class Pattern(Protocol):
    """A compiled pattern, over bytes."""

    def search(self, text: bytes, pos: int = 0, endpos: int | None = None, /) -> Match | None:
        """Return the first match, if any."""
        ...

    def match(self, text: bytes, pos: int = 0, endpos: int | None = None, /) -> Match | None:
        """Return the match that starts here, if any."""
        ...

    def fullmatch(self, text: bytes, /) -> Match | None:
        """Return the match of the whole text, if any."""
        ...

    def finditer(self, text: bytes, pos: int = 0, endpos: int | None = None, /) -> Iterator[Match]:
        """Yield all matches, from left to right; none overlaps another."""
        ...


def compile_bytes(pattern: bytes, *, captures: bool = False) -> Pattern:
    """Return a pattern of our own over bytes, whatever their encoding."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # type: ignore[attr-defined]
    options.never_capture = not captures
    options.log_errors = False
    return re2.compile(pattern, options)


def compile_pattern(pattern: str) -> Pattern:
    """Return a user's pattern, which is about characters; raises re2.error."""
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    return re2.compile(pattern, options)


def relaxed(pattern: str) -> str | None:
    r"""Return a pattern that finds at least what this one finds, wherever the text is cut.

    Without its places (^ $ \b \A and the like) a pattern finds in the midst of a message what it
    would find in a text of its own. None where this reading of the syntax is not sure.
    """
    if "\\Q" in pattern:
        return None
    out: list[str] = []
    at, inside = 0, False
    while at < len(pattern):
        piece = pattern[at : at + 2] if pattern[at] == "\\" else pattern[at]
        at += len(piece)
        if inside:
            inside = piece != _CLASS_END
        elif piece == _CLASS:
            piece, at = _class_start(pattern, at)
            inside = True
        elif piece in _PLACES:
            piece = _ANYWHERE
        out.append(piece)
        if inside and pattern.startswith("[:", at):
            end = pattern.find(":]", at)
            if end < 0:
                return None
            out.append(pattern[at : end + 2])
            at = end + 2
    return "".join(out)


def _class_start(pattern: str, at: int) -> tuple[str, int]:
    """Return a class's opening and what it cannot end with, and where the rest starts."""
    start = at - 1
    if pattern.startswith("^", at):
        at += 1
    if pattern.startswith("]", at):
        at += 1
    return pattern[start:at], at
