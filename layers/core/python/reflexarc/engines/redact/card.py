"""Finds payment card numbers.

The rule: 13 to 19 digits, in one piece or in groups of three or more (the last of one or more)
that one and the same single space or dash separates; the number starts and is as long as an
issuer's numbers are, and its check digit is right (Luhn). The groups may stand in a row of further
groups, so a date before a card does not hide it. A number that touches a letter or digit, or is a
part of a decimal fraction, is none. So ids in hexadecimal stay, and times since 1970 do too: in
seconds to nanoseconds they start with 1, as no issuer's numbers do, until 2033.

https://www.iso.org/standard/70484.html (ISO/IEC 7812-1: prefixes, lengths, Annex B: check digit)
https://en.wikipedia.org/wiki/Payment_card_number
"""

from collections.abc import Iterator

from reflexarc.engines.redact.linear import DIGITS, WORD, compile_bytes
from reflexarc.engines.redact.model import Interval

SHORTEST, LONGEST = 13, 19
_RUN = compile_bytes(rb"[0-9](?:[ -]?[0-9]){12,}")
_GROUP_MIN = 3
_ROW = 64  # more digits in a row hold something that looks like a card, so why look
_ISSUERS: tuple[tuple[range, frozenset[int]], ...] = (
    (range(4000, 5000), frozenset({13, 16, 19})),  # Visa
    (range(5100, 5600), frozenset({16})),  # Mastercard
    (range(2221, 2721), frozenset({16})),  # Mastercard, since 2017
    (range(3400, 3500), frozenset({15})),  # American Express
    (range(3700, 3800), frozenset({15})),
    (range(6011, 6012), frozenset({16, 17, 18, 19})),  # Discover
    (range(6440, 6600), frozenset({16, 17, 18, 19})),
    (range(3000, 3060), frozenset({14, 16, 17, 18, 19})),  # Diners Club
    (range(3095, 3096), frozenset({14, 16, 17, 18, 19})),
    (range(3600, 3700), frozenset({14, 16, 17, 18, 19})),
    (range(3800, 4000), frozenset({14, 16, 17, 18, 19})),
    (range(3528, 3590), frozenset({16, 17, 18, 19})),  # JCB
    (range(6200, 6300), frozenset({16, 17, 18, 19})),  # UnionPay
    (range(8100, 8200), frozenset({16, 17, 18, 19})),
    (range(2200, 2205), frozenset({16, 17, 18, 19})),  # Mir
    (range(6000, 6100), frozenset({16})),  # RuPay
    (range(5018, 5019), frozenset(range(13, 20))),  # Maestro
    (range(5020, 5021), frozenset(range(13, 20))),
    (range(5038, 5039), frozenset(range(13, 20))),
    (range(5893, 5894), frozenset(range(13, 20))),
    (range(6304, 6305), frozenset(range(13, 20))),
    (range(6759, 6764), frozenset(range(13, 20))),
)
_LENGTHS = {prefix: frozenset[int]() for prefix in range(10_000)}
for _prefixes, _lengths in _ISSUERS:
    for _prefix in _prefixes:
        _LENGTHS[_prefix] |= _lengths
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: bytes) -> bool:
    """Return whether the last digit is the check digit of those before it."""
    total = sum(digit - 48 for digit in digits[-1::-2])
    total += sum(_DOUBLED[digit - 48] for digit in digits[-2::-2])
    return total % 10 == 0


def _is_card(digits: bytes) -> bool:
    return len(digits) in _LENGTHS[int(digits[:4])] and luhn(digits)


def may_be_card(run: bytes) -> bool:
    """Return whether a card's number lies anywhere in a run, wherever its text may be cut."""
    digits = run.replace(b" ", b"").replace(b"-", b"")
    if len(digits) > _ROW:
        return True
    for start in range(len(digits) - SHORTEST + 1):
        for length in _LENGTHS[int(digits[start : start + 4])]:
            number = digits[start : start + length]
            if len(number) == length and luhn(number):
                return True
    return False


class CardDetector:
    """Finds payment card numbers."""

    kind = "card"

    def find(self, text: bytes) -> Iterator[Interval]:
        """Yield where card numbers stand."""
        for match in _RUN.finditer(text):
            start, end = match.span()
            yield from _cards(text, _groups(text, start, end))


def _groups(text: bytes, start: int, end: int) -> list[Interval]:
    """Return the groups of a run of digits, without those that touch something else."""
    groups = []
    for part in text[start:end].replace(b"-", b" ").split(b" "):
        groups.append((start, start + len(part)))
        start += len(part) + 1
    if _touches_before(text, groups[0][0]):
        del groups[0]
    if groups and _touches_after(text, groups[-1][1]):
        del groups[-1]
    return groups


def _touches_before(text: bytes, at: int) -> bool:
    """Return whether what stands before makes a number part of a word or of a fraction."""
    before = text[max(at - 2, 0) : at]
    if not before:
        return False
    if before[-1] in WORD and before[-1:] != b"_":
        return True
    return before[-1:] == b"." and before[0] in DIGITS


def _touches_after(text: bytes, at: int) -> bool:
    after = text[at : at + 2]
    if not after:
        return False
    if after[0] in WORD and after[:1] != b"_":
        return True
    return after[:1] == b"." and after[-1] in DIGITS


def _cards(text: bytes, groups: list[Interval]) -> Iterator[Interval]:
    first = 0
    while first < len(groups):
        last = _card_from(text, groups, first)
        if last is None:
            first += 1
        else:
            yield groups[first][0], groups[last][1]
            first = last + 1


def _card_from(text: bytes, groups: list[Interval], first: int) -> int | None:
    """Return the last group of the longest card that starts with this group."""
    start, end = groups[first]
    separator = text[end : end + 1]
    digits = text[start:end]
    found, last = None, first
    while len(digits) <= LONGEST:
        if len(digits) >= SHORTEST and _is_card(digits):
            found = last
        if last + 1 == len(groups) or text[end : end + 1] != separator or end - start < _GROUP_MIN:
            break
        last += 1
        start, end = groups[last]
        digits += text[start:end]
    return found
