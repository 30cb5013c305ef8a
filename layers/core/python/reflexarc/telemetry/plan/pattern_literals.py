"""Texts one of which every match of a pattern contains. Pure.

Only what is certain is said: a pattern that this reading does not follow has no such texts, and the
items are then found another way.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

_ALTERNATIVES_MAX = 64
_DEEPEST = 32
_TIMES = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_PLAIN_ESCAPES = frozenset(".^$*+?()[]{}|\\/-_@:,;=&%#!~'\"<> ")


@dataclass(frozen=True, slots=True)
class Texts:
    """One of `texts` is in every match; `whole`: every match is one of them, from end to end."""

    texts: tuple[str, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class _Gap:
    """Something that may match anything."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """One of these texts stands here."""

    texts: tuple[str, ...]


_Element = _Gap | _Piece
_GAP = _Gap()


class _Unknown(Exception):
    """The pattern is none that this module reads."""


def necessary_texts(pattern: str) -> Texts | None:
    """Return texts one of which every match contains, None where none are certain."""
    reader = _Reader(pattern)
    try:
        branches = [_branch(elements) for elements in reader.branches()]
    except (_Unknown, IndexError):
        return None
    if reader.at != len(pattern) or any(branch is None for branch in branches):
        return None
    found = [branch for branch in branches if branch is not None]
    texts = tuple(text for branch in found for text in branch.texts)
    if len(texts) > _ALTERNATIVES_MAX:
        return None
    return Texts(texts, all(branch.whole for branch in found))


def _branch(elements: list[_Element | str]) -> Texts | None:
    """Return the run of neighbouring texts that is the longest at its shortest."""
    begins = elements[:1] == ["^"]
    ends = elements[-1:] == ["$"]
    inner = elements[begins : len(elements) - ends]
    runs: list[list[str]] = [[""]]
    gaps = False
    for element in inner:
        if isinstance(element, _Piece):
            runs[-1] = _joined(runs[-1], element.texts)
        else:
            gaps = True
            runs.append([""])
    best = max(runs, key=lambda run: min(map(len, run)))
    if not min(map(len, best)):
        return None
    return Texts(tuple(best), begins and ends and not gaps)


def _joined(befores: Sequence[str], behinds: Sequence[str]) -> list[str]:
    if len(befores) * len(behinds) > _ALTERNATIVES_MAX:
        raise _Unknown
    return [before + behind for before, behind in product(befores, behinds)]


def _spelt(pieces: Iterable[Sequence[str]]) -> list[str]:
    """Return every text that pieces side by side can be."""
    texts = [""]
    for piece in pieces:
        texts = _joined(texts, piece)
    return texts


class _Reader:
    """Reads one level of a pattern: branches between bars, elements in each."""

    def __init__(self, pattern: str, at: int = 0) -> None:
        self.pattern = pattern
        self.at = at
        self.depth = 0

    def branches(self) -> list[list[_Element | str]]:
        """Read up to the end or a closing parenthesis."""
        found: list[list[_Element | str]] = [[]]
        while self.at < len(self.pattern) and self.pattern[self.at] != ")":
            if self.pattern[self.at] == "|":
                self.at += 1
                found.append([])
            else:
                self._element(found[-1])
        return found

    def _element(self, into: list[_Element | str]) -> None:
        mark = self.pattern[self.at]
        if mark in "^$":
            self.at += 1
            into.append(mark)
            # An anchor within: it matches nothing or what we do not follow.
            return
        element = self._atom(mark)
        into.append(self._repeated(element))

    def _atom(self, mark: str) -> _Element:
        self.at += 1
        if mark == "(":
            return self._group()
        if mark == "[":
            return self._class()
        if mark == "\\":
            return self._escape()
        if mark == ".":
            return _GAP
        if mark in "*+?{":
            raise _Unknown
        return _Piece((mark,))

    def _repeated(self, element: _Element) -> _Element:
        """Read a quantifier: what may be absent or come again is no certain text."""
        mark = self.pattern[self.at : self.at + 1]
        if mark not in {"*", "+", "?", "{"}:
            return element
        if mark == "{":
            times = _TIMES.match(self.pattern, self.at)
            if times is None:
                raise _Unknown  # to RE2 it is a brace
            self.at = times.end()
        else:
            self.at += 1
        if self.pattern[self.at : self.at + 1] == "?":  # as few as can be
            self.at += 1
        return _GAP

    def _group(self) -> _Element:
        if self.pattern[self.at : self.at + 1] == "?":
            if self.pattern[self.at : self.at + 2] != "?:":
                raise _Unknown  # flags and names
            self.at += 2
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Unknown
        branches = self.branches()
        self.depth -= 1
        if self.at == len(self.pattern):
            raise _Unknown  # not closed
        self.at += 1
        texts: list[str] = []
        for branch in branches:
            pieces = [element.texts for element in branch if isinstance(element, _Piece)]
            if len(pieces) < len(branch):
                return _GAP
            texts += _spelt(pieces)
            if len(texts) > _ALTERNATIVES_MAX:
                raise _Unknown
        return _Piece(tuple(texts))

    def _class(self) -> _Element:
        if self.pattern[self.at] == "^":
            self.at += 1
        first = self.at
        # A bracket that comes first is a member.
        while self.pattern[self.at] != "]" or self.at == first:
            if self.pattern[self.at] == "[":
                raise _Unknown  # [[:alpha:]]
            self.at += 2 if self.pattern[self.at] == "\\" else 1
        self.at += 1
        return _GAP

    def _escape(self) -> _Element:
        mark = self.pattern[self.at]
        self.at += 1
        if mark in _PLAIN_ESCAPES:
            return _Piece((mark,))
        if mark in "dDwWsS":
            return _GAP
        raise _Unknown
