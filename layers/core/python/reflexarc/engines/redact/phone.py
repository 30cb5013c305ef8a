"""Finds telephone numbers.

The rule, conservative since so much in telemetry is digits:

* international: "+" (or "%2B", as URLs write it), a country code (of three digits, its first
  two), 8 to 15 digits in all (11 for +1 and +7), in groups that single spaces, dots or hyphens
  separate, with an area code in parentheses or not; "00" in place of "+" only where the number has
  separators;
* North American: three, three and four digits with one separator throughout, the first two groups
  from 2 up, "1" before them or not; or the area code in parentheses;
* with a trunk prefix: 0 and then 1 to 9, 10 or 11 digits in all, two groups or more with one
  separator throughout; two groups of two mean that all five are (France).

None of them touches a letter, a digit, or what dots and hyphens tie to one: dates, versions,
addresses, UUIDs and serial numbers stay. A row of digits without separator and "+" is no number.

https://www.itu.int/rec/T-REC-E.164 https://www.itu.int/rec/T-REC-E.123
"""

from collections.abc import Callable, Iterator

from reflexarc.engines.redact.linear import WORD, Pattern, compile_bytes
from reflexarc.engines.redact.model import Interval

_INTERNATIONAL = compile_bytes(rb"(?:\+|%2[Bb])[1-9](?:[ .-]?(?:\([0-9]{1,4}\)|[0-9]+))*")
_PART = compile_bytes(rb"[ .-]?(?:\([0-9]+\)|[0-9]+)")
_AMERICAN = compile_bytes(
    rb"(?:1[ .-])?(?:\([2-9][0-9]{2}\)[ .-]?[2-9][0-9]{2}[ .-][0-9]{4}|"
    rb"[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}|"
    rb"[2-9][0-9]{2}\.[2-9][0-9]{2}\.[0-9]{4}|"
    rb"[2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4})"
)
_TRUNK = compile_bytes(
    rb"\(?0[0-9]{1,4}\)?(?:"
    rb" [0-9]{2,8}(?: [0-9]{2,4}){0,4}|-[0-9]{2,8}(?:-[0-9]{2,4}){0,4}|"
    rb"(?:\.[0-9]{2}){4})"
)
CANDIDATES = (compile_bytes(rb"\+[1-9](?:[ .()-]{0,3}[0-9]){7}"),)
RARE = (b"%2B", b"%2b")

# Country codes of one and two digits, and what those of three start with (a few are not assigned).
_ONE = frozenset({b"1", b"7"})
_TWO = frozenset(
    b"20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64"
    b" 65 66 81 82 84 86 90 91 92 93 94 95 98".split()
)
_THREE = frozenset(b"21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99".split())
_ONE_LENGTH = 11
_LENGTHS = range(8, 16)
_TRUNK_LENGTHS = range(10, 12)
_FRENCH = [2, 2, 2, 2, 2]
_EXTENSION = frozenset({b"", b"x", b"X"})


class PhoneDetector:
    """Finds telephone numbers."""

    kind = "phone"

    def find(self, text: bytes) -> Iterator[Interval]:
        """Yield where telephone numbers stand; those of one form may overlap another's."""
        if b"+" in text or b"%2" in text:
            yield from _international(text)
        yield from _national(text, _AMERICAN, lambda _text, _start, end: end)
        yield from _national(text, _TRUNK, _trunk_end)


def _international(text: bytes) -> Iterator[Interval]:
    for match in _INTERNATIONAL.finditer(text):
        start, end = match.span()
        plus = start + (1 if text[start : start + 1] == b"+" else 3)
        if plus == start + 1 and start and (text[start - 1] in WORD or text[start - 1] in b"+"):
            continue
        last = _whole_parts(text, plus, end)
        if last and (text[last : last + 1] in _EXTENSION or text[last] not in WORD):
            yield start, last


def _whole_parts(text: bytes, start: int, end: int) -> int:
    """Return where a number ends that starts here: with as many whole groups as it can have."""
    found, digits = 0, b""
    for part in _PART.finditer(text, start, end):
        digits += bytes(byte for byte in part.group() if 48 <= byte < 58)  # noqa: PLR2004 - 0 to 9
        if len(digits) >= _LENGTHS.stop:
            break
        if _is_assigned(digits):
            found = part.end()
    return found


def _is_assigned(digits: bytes) -> bool:
    """Return whether the digits are as many as a number of their country has."""
    if digits[:1] in _ONE:
        return len(digits) == _ONE_LENGTH
    return len(digits) in _LENGTHS and (digits[:2] in _TWO or digits[:2] in _THREE)


def _national(
    text: bytes, pattern: Pattern, end_of: Callable[[bytes, int, int], int]
) -> Iterator[Interval]:
    at = 0
    while (match := pattern.search(text, at)) is not None:
        start, end = match.span()
        end = end_of(text, start, end)
        alone = bool(end) and _stands_alone(text, start, end)
        if alone:
            yield start, end
        at = end if alone else start + 1


def _trunk_end(text: bytes, start: int, end: int) -> int:
    """Return where a number with a trunk prefix ends, 0 where there is none."""
    separator = b" " if b" " in text[start:end] else b"-" if b"-" in text[start:end] else b"."
    groups = text[start:end].split(separator)
    if groups[0].strip(b"()").startswith(b"00"):
        return _whole_parts(text, start + text[start:end].index(b"00") + 2, end)
    found = length = digits = 0
    for count, group in enumerate(groups):
        length += len(group) + (1 if count else 0)
        digits += len(group) if count else len(group.strip(b"()"))
        if digits >= _TRUNK_LENGTHS.stop:
            break
        if count and digits in _TRUNK_LENGTHS and _is_french_or_other(groups[: count + 1]):
            found = start + length
    return found


def _is_french_or_other(groups: list[bytes]) -> bool:
    lengths = [len(group) for group in groups]
    return lengths[:2] != _FRENCH[:2] or lengths == _FRENCH


def _stands_alone(text: bytes, start: int, end: int) -> bool:
    """Return whether nothing that touches the number makes it part of something else."""
    before = text[max(start - 2, 0) : start]
    if before and (before[-1] in WORD or before[-1:] == b"+"):
        return False
    tied = before[-1:] in {b".", b"-"} and before[0] in WORD
    return not tied and not _goes_on(text, end)


def _goes_on(text: bytes, end: int) -> bool:
    """Return whether more follows than an extension (`x12`)."""
    after = text[end : end + 2]
    if after[:1] in _EXTENSION:
        return False
    return after[0] in WORD or (after[:1] in {b".", b"-"} and after[-1] in b"0123456789")
