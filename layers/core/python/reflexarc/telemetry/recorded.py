"""Export requests as people keep them: which signal they are of, and how many a file holds. Pure.

A file is a request in protobuf or JSON, or many: the Collector's file exporter writes a JSON
document a line, or requests in protobuf each behind its length.
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

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
_RESOURCES = b"\x0a"
# A request has no separators, so it is read at once.
PROTOBUF_MAX = 512 * 1024 * 1024
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


class Content(Protocol):
    """What can be read bit by bit."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer at the end."""
        ...


def of_protobuf(content: Content, where: str, signal: OtlpSignal | None) -> Iterator[Batch]:
    """Yield the request that a file is, or the requests that stand in it behind their lengths.

    `signal` is what somebody says they are, where they do not tell; raises Rejected where nothing
    does.
    """
    begin = content.read(_LENGTH)
    # A request begins so; as the first of four bytes it would be a length of 160 MB.
    if begin[:1] == _RESOURCES or len(begin) < _LENGTH:
        yield _protobuf_batch(begin + _read(content, PROTOBUF_MAX, where), where, signal)
        return
    number = 0
    while begin:
        number += 1
        size = int.from_bytes(begin, "big")
        if size > PROTOBUF_MAX or len(part := content.read(size)) < size or len(begin) < _LENGTH:
            raise Rejected(
                f"{where}:{number}: neither an export request nor requests behind their lengths"
            )
        yield _protobuf_batch(part, f"{where}:{number}", signal)
        begin = content.read(_LENGTH)


def _read(content: Content, most: int, where: str) -> bytes:
    whole = content.read(most + 1)
    if len(whole) > most:
        raise Rejected(f"{where}: more than {most:,} bytes in one request: split it")
    return whole


def _protobuf_batch(payload: bytes, where: str, signal: OtlpSignal | None) -> Batch:
    found = signal_of(payload) or signal_named(where) or signal
    if found is None:
        raise Rejected(f"{where}: nothing tells whether these are traces, metrics or logs")
    return Batch(signal=found, payload=payload, where=where)


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
