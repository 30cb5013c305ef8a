"""What of an export request may go on. Nearly all of it nearly always, so that this is cheap. Pure.

Three passes in C over the bytes: is everything readable, how many items are there, how long are
the ids. Only where one of them says no is the request taken apart (sorting.py); and where it is so
large that lists of its ids might not fit.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from reflexarc.engines.otlp import outlines
from reflexarc.engines.otlp.outlines import IDS, REQUESTS, columns
from reflexarc.engines.otlp.sorting import sorted_out
from reflexarc.engines.otlp.verdicts import PARTS_MAX, TooManyParts, Verdict
from reflexarc.events.otlp_batch import OtlpSignal

# A listed id takes 32 bytes of memory while its list grows, and as little as two in the request.
LISTED_MAX = 8 * 1024 * 1024
# Parts of a larger request are listed one level at a time, and there is room for those that have
# three bytes or more. Empty ones have two. A number may look so, but not this often by chance.
_EMPTY = (b"\x0a\0", b"\x12\0")
_EMPTY_MAX = 2_000_000
_SPANS = attrgetter("resource_spans.scope_spans.spans")


def judged(data: bytes, signal: OtlpSignal) -> Verdict:
    """Return what may go on: the very object that came where nothing is wrong with it.

    Raises NotOtlp where it is no request at all, TooManyParts where it has more than is taken.
    """
    if len(data) > LISTED_MAX and sum(map(data.count, _EMPTY)) > _EMPTY_MAX:
        raise TooManyParts
    try:
        outlines.everything(signal)(data)
    except DecodeError:
        return sorted_out(data, signal)
    if len(data) <= LISTED_MAX:
        count = _counted(data)
        if _sound(outlines.ids(REQUESTS[signal])(data), signal, count):
            return Verdict(data, count)
    return sorted_out(data, signal, readable=True)


def _counted(data: bytes) -> int:
    """Return how many items there are."""
    resources = len(outlines.parts(0)(data).x)
    scopes = len(outlines.parts(1)(data).x.x)
    items = len(outlines.parts(2)(data).x.x.x)
    if max(resources, scopes, items) > PARTS_MAX:
        raise TooManyParts
    return items


def _sound(found: Any, signal: OtlpSignal, count: int) -> bool:
    """Return whether no id is of a wrong length, and each span has the two that it must have.

    A span without an id beside one that has two goes unseen: no exporter makes either, and OTLP
    says of nobody that they must refuse it.
    """
    if not all(set(map(len, column)) <= {0, IDS[name]} for name, column in columns(found)):
        return False
    return signal != "traces" or all(
        _each_has_one(column, IDS[name], count) for name, column in _own(found).items()
    )


def _own(found: Any) -> Mapping[str, Any]:
    spans = _SPANS(found)
    return {"trace_id": spans.trace_id, "span_id": spans.span_id}


def _each_has_one(column: Any, size: int, count: int) -> bool:
    distinct = set(column)
    return len(column) == count and b"" not in distinct and bytes(size) not in distinct
