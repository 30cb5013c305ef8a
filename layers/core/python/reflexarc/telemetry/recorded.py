"""Export requests as people keep them: which signal they are of, and how many a file holds. Pure.

A file is a request in protobuf or JSON, or many: the Collector's file exporter writes a JSON
document a line, or requests in protobuf each behind its length.
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.message import DecodeError
from pydantic_core import from_json

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.otlp.otlp_json import protobuf_of
from reflexarc.engines.otlp.wire import Malformed
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.plan.whole import ITEMS

Fits = Callable[[Any], bool]

_NAMED = re.compile(r"(?<![a-z])(trace|span|metric|log)s?(?![a-z])")
_SIGNALS: dict[str, OtlpSignal] = {
    "trace": "traces",
    "span": "traces",
    "metric": "metrics",
    "log": "logs",
}
_JSON_SIGNALS: dict[str, OtlpSignal] = {
    "resourceSpans": "traces",
    "resourceMetrics": "metrics",
    "resourceLogs": "logs",
}
_TRACE_ID, _SPAN_ID = 16, 8
_LENGTH = 4
_LOOKED_AT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One export request; `where` names it to people, `at` is when it came, where that is known."""

    signal: OtlpSignal
    payload: bytes
    where: str
    at: datetime | None = None


def signal_named(name: str) -> OtlpSignal | None:
    """Return the signal that a file's name says, the last word that says one."""
    found = _NAMED.findall(name.rpartition("/")[2].lower()) or _NAMED.findall(name.lower())
    return _SIGNALS[found[-1]] if found else None


def signal_of(payload: bytes) -> OtlpSignal | None:
    """Return the signal that a request in protobuf is of, None where it could be any.

    The three kinds of request have one form, so what tells them apart is what items must have.
    """
    try:
        parts = framed(payload)
    except Malformed:
        return None
    items = [parts.item(number) for number in range(min(len(parts.starts), _LOOKED_AT))]
    fitting = (signal for signal, fits in _FITS.items() if items and _all(signal, fits, items))
    return next(fitting, None)


def of_json(lines: Iterable[bytes], where: str) -> Iterator[Batch]:
    """Yield the requests of a JSON document, or of one on each line; raises Rejected."""
    unread = iter(enumerate(lines, start=1))
    at, first = next(((number, line) for number, line in unread if line.strip()), (1, b""))
    try:
        from_json(first)
    except ValueError:
        # No document by itself: the whole file is one.
        yield _json_batch(b"".join((first, *(line for _, line in unread))), where)
        return
    yield _json_batch(first, f"{where}:{at}")
    for number, line in unread:
        if line.strip():
            yield _json_batch(line, f"{where}:{number}")


def of_protobuf(content: bytes, where: str, signal: OtlpSignal | None) -> Iterator[Batch]:
    """Yield the request that bytes are, or the requests that stand in them behind their lengths.

    `signal` is what somebody says they are, where they do not tell; raises Rejected where nothing
    does.
    """
    parts = _behind_lengths(content)
    for number, part in enumerate(parts or [content], start=1):
        place = f"{where}:{number}" if parts else where
        found = signal_of(part) or signal_named(where) or signal
        if found is None:
            raise Rejected(f"{place}: nothing tells whether these are traces, metrics or logs")
        yield Batch(signal=found, payload=part, where=place)


def _behind_lengths(content: bytes) -> list[bytes]:
    """Return the messages behind their lengths in four bytes, none where that is not the form.

    A request begins with 0x0A, which as the first of four bytes would be a length of 160 MB.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + _LENGTH], "big")
        at += _LENGTH
        if at + size > len(content):
            return []
        parts.append(content[at : at + size])
        at += size
    return parts


def _json_batch(document: bytes, where: str) -> Batch:
    try:
        parsed: Any = from_json(document)
    except ValueError as error:
        raise Rejected(f"{where}: not JSON: {error}") from error
    keys = parsed if isinstance(parsed, dict) else ()
    signals = [signal for key, signal in _JSON_SIGNALS.items() if key in keys]
    if len(signals) != 1:
        raise Rejected(f"{where}: an export request has one of {', '.join(_JSON_SIGNALS)}")
    try:
        payload = protobuf_of(document, signals[0])
    except Rejected as error:
        raise Rejected(f"{where}: {error}") from error
    return Batch(signal=signals[0], payload=payload, where=where)


def _all(signal: OtlpSignal, fits: Fits, items: Iterable[bytes]) -> bool:
    try:
        return all(fits(ITEMS[signal].FromString(item)) for item in items)
    except DecodeError:
        return False


def _is_span(span: Any) -> bool:
    return len(span.trace_id) == _TRACE_ID and len(span.span_id) == _SPAN_ID


def _is_metric(metric: Any) -> bool:
    return bool(metric.name) and metric.WhichOneof("data") is not None


def _is_log(record: Any) -> bool:
    return bool(record.time_unix_nano or record.observed_time_unix_nano or record.HasField("body"))


_FITS: Mapping[OtlpSignal, Fits] = {"traces": _is_span, "metrics": _is_metric, "logs": _is_log}
