"""Spans that cost and that nobody reads: probes, and short leaves in great number. Pure."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from reflexarc.telemetry.orphans import key_of
from reflexarc.telemetry.suggesting import probes
from reflexarc.telemetry.suggesting.model import Finding, Suggestion
from reflexarc.telemetry.suggesting.seen import Seen
from reflexarc.telemetry.suggesting.wording import quoted

NAMES_MAX = 20_000
SPANS_MAX = 2_000_000
_SHORT_NS = 2_000_000
# A name is noise when so many of all spans have it, nearly all of them short, and no children.
_SHARE, _NEARLY_ALL = 0.03, 0.98
_KEPT_PERCENT = 10
_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_SHOWN = 8


@dataclass(slots=True)
class _Name:
    number: int
    count: int = 0
    size: int = 0
    short: int = 0
    errors: int = 0
    children: int = 0


@dataclass(slots=True)
class Spans:
    """Counts spans by name and kind; remembers 20 bytes of each to know who has children."""

    seen: Seen = field(default_factory=lambda: Seen("spans"))
    twice: int = 0
    _names: dict[tuple[str, int], _Name] = field(default_factory=dict)
    _own: "array[int]" = field(default_factory=lambda: array("Q"))
    _parents: "array[int]" = field(default_factory=lambda: array("Q"))
    _named: "array[int]" = field(default_factory=lambda: array("L"))

    def take(self, payload: bytes) -> None:
        """Take note of a request."""
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self._take(span)

    def suggestions(self) -> Iterator[Suggestion]:
        """Yield rules, the greatest saving first."""
        self._find_parents()
        noisy = [
            (key, name)
            for key, name in self._names.items()
            if name.count >= _SHARE * self.seen.count
            and name.short >= _NEARLY_ALL * name.count
            and name.children <= (1 - _NEARLY_ALL) * name.count
            and not probes.path_of("url.path", key[0].rpartition(" ")[2])
        ]
        for (text, kind), name in sorted(noisy, key=lambda pair: -pair[1].size)[:_SHOWN]:
            yield Suggestion(
                f"short-{text}",
                "sample",
                {"traces": [f"name == {quoted(text)} and kind == SPAN_KIND_{_KINDS[kind]}"]},
                f"{name.count:,} of {self.seen.count:,} spans, nearly all under"
                f" {_SHORT_NS // 1_000_000} ms and without children: a tenth shows as much",
                {"percent": _KEPT_PERCENT},
            )

    def findings(self) -> Iterator[Finding]:
        """Return what no rule can mend."""
        self._find_parents()
        return self.seen.findings(self.twice, "with the same ids")

    def _take(self, span: Span) -> None:
        size = span.ByteSize()
        self.seen.add(size)
        key = span.name, span.kind if 0 <= span.kind < len(_KINDS) else 0
        name = self._names.get(key)
        if name is None and len(self._names) < NAMES_MAX:
            name = self._names[key] = _Name(len(self._names))
        if name is not None:
            name.count += 1
            name.size += size
            name.short += 0 <= span.end_time_unix_nano - span.start_time_unix_nano < _SHORT_NS
            name.errors += span.status.code == Status.STATUS_CODE_ERROR
        if len(self._own) < SPANS_MAX:
            parent = span.parent_span_id
            self._own.append(key_of(span.trace_id, span.span_id))
            self._parents.append(key_of(span.trace_id, parent) if parent else 0)
            self._named.append(name.number if name is not None else NAMES_MAX)
        if self.seen.looking:
            self.seen.look(span.attributes, size)

    def _find_parents(self) -> None:
        """Count which spans have children, and which came twice."""
        if not self._own:
            return
        own, named = np.array(self._own, np.uint64), np.array(self._named)
        self.twice = len(own) - len(np.unique(own))
        has_children = np.isin(own, np.array(self._parents, np.uint64))
        counts = np.bincount(named[has_children], minlength=NAMES_MAX + 1)
        for name in self._names.values():
            name.children = int(counts[name.number])
