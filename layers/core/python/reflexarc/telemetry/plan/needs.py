"""Bytes without which a condition cannot hold: what an index can look for. Pure.

A text is contiguous in every valid encoding, and before it stands its length, or a zero where the
length is written with more bytes than it takes; before that its tag, or likewise a zero. So
`tag length text`, `0 length text` and `0 text` find every field that equals a text, and hardly
anything else. A pattern never spans a key and its value: fields may come in any order.
"""

import base64
import string
from collections.abc import Iterable
from dataclasses import dataclass

from reflexarc.engines.ottl.syntax import (
    And,
    Argument,
    Call,
    Compare,
    Condition,
    Literal,
    Not,
    Or,
    Path,
    Truth,
    Value,
)
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.pattern_literals import Texts, necessary_texts
from reflexarc.telemetry.plan.slots import (
    TEXT_TAGS,
    Attribute,
    Header,
    Slot,
    indexes_into,
    is_number,
    slot_of,
)

KEY_TAG = STRING_TAG = 0x0A  # KeyValue.key and AnyValue.string_value are both field 1
_ONE_BYTE = 128
_PARTS = frozenset({"datapoint", "spanevent"})
_PATTERNS_MAX = 512
# A pattern shorter than this is everywhere.
_SHORTEST = 3
# IsMatch makes a text of any value. A text of these characters stands within one token of a JSON
# document; with a character of _TELLING it is in no number, no truth value, no hexadecimal bytes.
_TOKEN = frozenset(string.ascii_letters + string.digits + "_/@. -")
_TELLING = frozenset(string.ascii_letters + "_/@ ") - frozenset("truefalsnbcdNIEABCDF")
_BASE64 = frozenset(string.ascii_letters + string.digits + "+/")
# What JSON writes behind a backslash, and every end of it: a text may begin there.
_ESCAPED = frozenset("bfnrt") | {
    f"u{code:04x}"[begin:]
    for code in (*range(0x20), *map(ord, "<>&\u2028\u2029"))
    for begin in range(5)
}


@dataclass(frozen=True, slots=True)
class Need:
    """At least one of these patterns is in every item that meets the condition."""

    patterns: frozenset[bytes]
    # A key alone says less than a value: keys stand in nearly every item.
    value: bool

    @property
    def rank(self) -> tuple[bool, int]:
        """Return how much the need tells; the greater, the better."""
        return self.value, min(map(len, self.patterns))


@dataclass(frozen=True, slots=True)
class NumberNeed:
    """The attribute is there, and is a number for which this comparison holds."""

    key: str
    comparator: str
    number: int | float


def exact(text: str | bytes, tag: int) -> frozenset[bytes]:
    """Return patterns one of which stands where a field equals a text; none for an empty one."""
    plain = text.encode() if isinstance(text, str) else text
    if not plain:
        return frozenset()
    if len(plain) >= _ONE_BYTE:
        return frozenset({plain})
    size = bytes([len(plain)])
    return frozenset({bytes([tag]) + size + plain, b"\0" + size + plain, b"\0" + plain})


def need_of(condition: Condition, signal: OtlpSignal) -> Need | None:
    """Return the most telling bytes that a condition needs, None where it needs none."""
    match condition:
        case And(conditions):
            found = [need for each in conditions if (need := need_of(each, signal))]
            return max(found, key=lambda need: need.rank) if found else None
        case Or(conditions):
            return _either([need_of(each, signal) for each in conditions])
        case Compare():
            return _compared(condition, signal)
        case Truth(Call("IsMatch") as call):
            return _matched(call, signal)
        case _:
            return None


def number_need_of(condition: Condition, signal: OtlpSignal) -> NumberNeed | None:
    """Return what a comparison of an attribute with a number needs."""
    if not isinstance(condition, Compare) or condition.comparator == "!=":
        return None
    left, right = condition.left, condition.right
    comparator: str = condition.comparator
    if isinstance(left, Literal):
        left, right = right, left
        comparator = _MIRRORED[comparator]
    slot = _slot(left, signal)
    if not isinstance(slot, Attribute) or not isinstance(right, Literal):
        return None
    number = right.value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return NumberNeed(slot.key, comparator, number)


_MIRRORED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def opposite_of(condition: Condition) -> Condition | None:
    """Return what must not hold for a condition on one attribute to hold, and is all that it asks.

    It never raises, so that it certainly does not hold where its bytes are missing. A match raises
    for a number that JSON has not: what must not hold for one not to match is that it is there.
    """
    match condition:
        case Compare("!=", left, right):
            inner: Condition = Compare("==", left, right, condition.column)
        case Not(inner):
            pass
        case _:
            return None
    match inner:
        case Compare(_, Path(keys=(_,)), Literal()) | Compare(_, Literal(), Path(keys=(_,))):
            return inner
        case Truth(
            Call("IsMatch", (Argument(_, Path(keys=(_,)) as read), Argument(_, Literal())), ())
        ):
            return Compare("!=", read, Literal(None, inner.column), inner.column)
        case _:
            return None


def key_need(key: str) -> Need | None:
    """Return what stands where an attribute of this key does."""
    patterns = exact(key, KEY_TAG)
    return Need(patterns, value=False) if patterns else None


def _either(needs: Iterable[Need | None]) -> Need | None:
    found = list(needs)
    known = [need for need in found if need is not None]
    if len(known) < len(found):
        return None
    patterns = frozenset[bytes]().union(*(need.patterns for need in known))
    if len(patterns) > _PATTERNS_MAX:
        return None
    return Need(patterns, value=all(need.value for need in known))


def _compared(condition: Compare, signal: OtlpSignal) -> Need | None:
    left, right = condition.left, condition.right
    if isinstance(left, Literal):
        left, right = right, left
    slot = _slot(left, signal)
    if slot is None or not isinstance(right, Literal):
        return None
    text = right.value
    if condition.comparator == "==" and isinstance(text, str):
        patterns = exact(text, _tag(slot, signal))
        if patterns and min(map(len, patterns)) >= _SHORTEST:
            return Need(patterns, value=True)
    return _present(slot, condition)


def _slot(value: object, signal: OtlpSignal) -> Slot | None:
    """Return the slot that a value is; an attribute of a data point or event is in its item too."""
    if not isinstance(value, Path):
        return None
    if value.context in _PARTS and value.names == ("attributes",) and len(value.keys) == 1:
        key = value.keys[0]
        if isinstance(key, Literal) and isinstance(key.value, str):
            return Attribute(key.value)
    slot = slot_of(value, signal)
    whole = slot is not None and len(value.keys) == indexes_into(slot)
    return slot if whole else None


def _present(slot: Slot, condition: Compare) -> Need | None:
    """Return that an attribute must be there: nothing is equal to nil but nil."""
    if not isinstance(slot, Attribute):
        return None
    nil = None in {_constant(condition.left), _constant(condition.right)}
    if nil != (condition.comparator == "!="):
        return None
    return key_need(slot.key)


def _constant(value: Value) -> object:
    return value.value if isinstance(value, Literal) else ...


def _matched(call: Call, signal: OtlpSignal) -> Need | None:
    if len(call.arguments) != 2 or call.keys:  # noqa: PLR2004 - a target and a pattern
        return None
    target, pattern = (argument.value for argument in call.arguments)
    slot = _slot(target, signal)
    if slot is None or not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        return None
    if is_number(slot, signal):  # its digits stand nowhere in the item
        return None
    texts = necessary_texts(pattern.value)
    if texts and (patterns := _contained(texts, slot, signal)):
        return Need(patterns, value=True)
    return key_need(slot.key) if isinstance(slot, Attribute) else None


def _contained(texts: Texts, slot: Slot, signal: OtlpSignal) -> frozenset[bytes] | None:
    """Return what stands in a field that contains one of the texts, None where that is unsure."""
    found: set[bytes] = set()
    for text in texts.texts:
        any_value = not isinstance(slot, Header) or slot.name == "body"
        if any_value and not _telling(text):
            return None
        if texts.whole:
            # A list or a map is never the whole of such a text.
            found |= exact(text, _tag(slot, signal))
        elif any_value:
            in_bytes = _as_base64(text)
            if in_bytes is None:
                return None
            found |= {_behind_escape(text).encode(), *in_bytes}
        else:
            found.add(text.encode())
    if not found or min(map(len, found)) < _SHORTEST:
        return None
    return frozenset(found)


def _telling(text: str) -> bool:
    return _TOKEN.issuperset(text) and not _TELLING.isdisjoint(text)


def _behind_escape(text: str) -> str:
    """Return a text less what may be the end of an escape before it.

    Where JSON has a backslash and `nhello`, the item has a new line and `hello`.
    """
    return text[max((size for size in range(6) if text[:size] in _ESCAPED), default=0) :]


def _as_base64(text: str) -> frozenset[bytes] | None:
    """Return what stands in bytes whose base64 contains a text; None where it is too short.

    JSON writes bytes within lists and maps in base64, four characters for three bytes: at one of
    four offsets the text holds whole groups of four.
    """
    if not _BASE64.issuperset(text):
        return frozenset()
    found = set()
    for offset in range(4):
        groups = (len(text) - offset) // 4
        if groups < 1:
            return None
        found.add(base64.b64decode(text[offset : offset + 4 * groups]))
    return frozenset(found)


def _tag(slot: Slot, signal: OtlpSignal) -> int:
    """Return the tag before the text of a slot."""
    if isinstance(slot, Attribute) or slot.name == "body":
        return STRING_TAG
    return TEXT_TAGS[signal].get(slot.name, STRING_TAG)
