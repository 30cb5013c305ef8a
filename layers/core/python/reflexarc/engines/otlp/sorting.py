"""An export request that is partly wrong: what can be read goes on, and what cannot is named. Pure.

An item that breaks OTLP's rules makes a Collector refuse the whole request that carries it, those
of others with it, for ever. So it ends here, and what goes on is readable by all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from reflexarc.engines.otlp import outlines
from reflexarc.engines.otlp.outlines import IDS, ITEMS, LEVELS, columns
from reflexarc.engines.otlp.verdicts import PARTS_MAX, Notes, NotOtlp, TooManyParts, Verdict
from reflexarc.engines.otlp.wire import field_of, occurrences, without
from reflexarc.events.otlp_batch import OtlpSignal

_NAMES: Mapping[OtlpSignal, tuple[str, str, str]] = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}
_ITEM = len(LEVELS) - 1
# A server's limit on a whole request is 4 MiB for gRPC and 20 MiB for HTTP, unless told otherwise.
# https://opentelemetry.io/docs/specs/otlp/
ITEM_MAX = 8 * 1024 * 1024
# Fields of a log record, and of an exemplar, by what an id there must have.
_LOG_IDS = {9: "trace_id", 10: "span_id"}
_EXEMPLAR_IDS = {5: "trace_id", 4: "span_id"}
# Fields of a metric: where its points lie, and in each of these its exemplars.
_EXEMPLARS = {5: 5, 7: 5, 9: 8, 10: 11}
_POINTS = 1


def sorted_out(data: bytes, signal: OtlpSignal, *, readable: bool = False) -> Verdict:
    """Return what may go on of a request that holds something wrong; raises NotOtlp if nothing can.

    What stays of a changed part stands in it as it came, the parts of one kind behind all else.
    Of a readable request only the ids are looked at.
    """
    sorter = _Sorter(signal, readable)
    try:
        payload = sorter.sort(data, 0, "")
    except DecodeError as error:
        raise NotOtlp(_words(error)) from error
    return Verdict(payload or b"", sorter.items, sorter.notes.rejected, sorter.notes.said)


@dataclass(slots=True)
class _Sorter:
    signal: OtlpSignal
    readable: bool
    notes: Notes = field(default_factory=Notes)
    items: int = 0
    _parts: list[int] = field(default_factory=lambda: [0] * len(LEVELS))

    def sort(self, data: bytes, depth: int, where: str) -> bytes | None:
        """Return what stays of a request, a resource or a scope; None where it lost all it had."""
        whole = outlines.level(LEVELS[depth]).FromString(data)
        if len(whole.x) > PARTS_MAX:
            raise TooManyParts
        inner = list(whole.x)
        del whole.x[:]
        self._read(whole.SerializeToString(), depth)
        self._count(len(inner), depth)
        stays = [
            self._part(part, depth, f"{where}{_NAMES[self.signal][depth]}[{number}]")
            for number, part in enumerate(inner)
        ]
        if stays == inner:
            return data
        whole.x.extend(part for part in stays if part is not None)
        return whole.SerializeToString() if whole.x else None

    def _part(self, data: bytes, depth: int, where: str) -> bytes | None:
        """Return what stays of one part; what cannot be read is noted, and is gone."""
        try:
            if depth < _ITEM:
                return self.sort(data, depth + 1, f"{where}.")
            self._read(data, len(LEVELS))
        except DecodeError as error:
            self.notes.add(_words(error), where, self._lost(data, depth))
            return None
        return self._item(data, where)

    def _read(self, data: bytes, depth: int) -> None:
        """Go through a part as it stands in a request: how deep it is nested counts from there."""
        if self.readable:
            return
        for number in reversed(LEVELS[:depth]):
            data = b"".join(field_of(number, data))
        outlines.everything(self.signal)(data)

    def _lost(self, data: bytes, depth: int) -> int:
        """Return how many items a part has, or a metric data points; one where nobody can say.

        None would say that nothing is lost: OTLP has zero mean a warning.
        """
        try:
            if depth < _ITEM:
                inner = outlines.level(LEVELS[depth + 1]).FromString(data).x
                self._count(len(inner), depth + 1)
                return sum(self._lost(part, depth + 1) for part in inner)
            if self.signal != "metrics":
                return 1
            held = outlines.points()(data).ListFields()
            return max(1, sum(len(kind.data_points) for _, kind in held))
        except DecodeError:
            return 1

    def _count(self, parts: int, depth: int) -> None:
        self._parts[depth] += parts
        if self._parts[depth] > PARTS_MAX:
            raise TooManyParts

    def _item(self, data: bytes, where: str) -> bytes | None:
        wrong = _too_large(data) or self._wrong_id(data)
        if wrong and (self.signal == "traces" or len(data) > ITEM_MAX):
            self.notes.add(wrong, where, self._lost(data, _ITEM))
            return None
        self.items += 1
        if not wrong:
            return data
        # "The receivers SHOULD assume that the log record is not associated with a trace if [...]
        # the field contains an invalid value" (logs.proto); an exemplar's ids are optional too.
        self.notes.add(f"{wrong}, and was taken out", where)
        return _MENDED[self.signal](data)

    def _wrong_id(self, item: bytes) -> str:
        found = outlines.ids(ITEMS[self.signal])(item)
        for name, column in columns(found):
            for each in column:
                if len(each) not in {0, IDS[name]}:
                    return f"{name} has {len(each)} bytes, not {IDS[name]}"
        return _missing(found) if self.signal == "traces" else ""


def _too_large(item: bytes) -> str:
    return f"it has more than {ITEM_MAX:,} bytes" if len(item) > ITEM_MAX else ""


def _missing(span: Any) -> str:
    """Return which of the two ids that a span must have is not there, or is none."""
    for name, column in (("trace_id", span.trace_id), ("span_id", span.span_id)):
        last = column[-1] if column else b""
        if not last.strip(b"\0"):
            return f"{name} is all zeros" if last else f"there is no {name}"
    return ""


def _words(error: DecodeError) -> str:
    """Return what protobuf's parser found, in words that do not name its options."""
    said = str(error)
    if "UTF-8" in said:
        return "a text is not UTF-8"
    if "MaxDepth" in said:
        return "values are nested too deeply"
    return "the protobuf is cut off or garbled"


def _without_wrong_ids(message: bytes, ids: Mapping[int, str]) -> bytes:
    for number, name in ids.items():
        wrong = {
            place
            for place, each in enumerate(occurrences(message, number))
            if len(each) not in {0, IDS[name]}
        }
        message = without(message, number, wrong) if wrong else message
    return message


def _within(message: bytes, number: int, change: Callable[[bytes], bytes]) -> bytes:
    """Return a message with each occurrence of a field changed; itself where none is."""
    held = occurrences(message, number)
    changed = [change(each) for each in held]
    return message if changed == held else without(message, number, None, changed)


def _mended_log(record: bytes) -> bytes:
    return _without_wrong_ids(record, _LOG_IDS)


def _mended_metric(metric: bytes) -> bytes:
    for kind, exemplars in _EXEMPLARS.items():
        metric = _within(metric, kind, partial(_mended_points, exemplars))
    return metric


def _mended_points(exemplars: int, data: bytes) -> bytes:
    def exemplar(each: bytes) -> bytes:
        return _without_wrong_ids(each, _EXEMPLAR_IDS)

    return _within(data, _POINTS, lambda point: _within(point, exemplars, exemplar))


_MENDED: Mapping[OtlpSignal, Callable[[bytes], bytes]] = {
    "logs": _mended_log,
    "metrics": _mended_metric,
}
