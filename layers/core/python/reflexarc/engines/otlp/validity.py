"""What of an export request may go on. Nearly all of it nearly always, so that this is cheap. Pure.

Three passes in C over the bytes: is everything readable, how many items are there, how long are
the ids. Only where one of them says no is the request taken apart (sorting.py).
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from reflexarc.engines.otlp import outlines
from reflexarc.engines.otlp.outlines import IDS, columns
from reflexarc.engines.otlp.sorting import sorted_out
from reflexarc.engines.otlp.verdicts import PARTS_MAX, TooManyParts, Verdict
from reflexarc.events.otlp_batch import OtlpSignal

_SPANS = attrgetter("resource_spans.scope_spans.spans")


def judged(data: bytes, signal: OtlpSignal) -> Verdict:
    """Return what may go on: the very object that came where nothing is wrong with it.

    Raises NotOtlp where it is no request at all, TooManyParts where it has more than is taken.
    """
    try:
        outlines.everything(signal)(data)
        count = _counted(data)
        sound = _sound(outlines.ids(signal)(data), signal, count)
    except DecodeError:
        return sorted_out(data, signal)
    return Verdict(data, count) if sound else sorted_out(data, signal)


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
