"""Spans, metrics, log records and whole export requests of any odd form: seeded, byte by byte."""

import struct
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.otlp_wire import DOUBLES, INTEGERS, WireWriter

SIGNALS: tuple[OtlpSignal, ...] = ("traces", "metrics", "logs")
# Messages of the plain schema; their fields are read by name.
REQUESTS: Mapping[OtlpSignal, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_NAMES: Mapping[OtlpSignal, tuple[str, str, str]] = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}
_EPOCH = 1_760_000_000_000_000_000


def scopes_of(request: Any, signal: OtlpSignal) -> list[list[Any]]:
    """Return the items of each scope of each resource; what is deleted there is gone."""
    resources, scopes, items = _NAMES[signal]
    return [
        [getattr(scope, items) for scope in getattr(resource, scopes)]
        for resource in getattr(request, resources)
    ]


class ItemWriter(WireWriter):
    """Writes random items; the same seed writes the same."""

    def item(self, signal: OtlpSignal) -> bytes:
        """Write a span, a metric or a log record, without its tag."""
        if self.rng.random() < 0.03:
            return b""
        return {"traces": self.span, "metrics": self.metric, "logs": self.log_record}[signal]()

    def trace_id(self) -> bytes:
        size = self.rng.choice((0, 8, 15, 17)) if self.happens(0.2) else 16
        return bytes(size) if self.happens(0.2) else self.rng.randbytes(size)

    def moment(self) -> int:
        if self.happens(0.1):
            return self.rng.choice((0, 1, 2**63 + 5, 2**64 - 1))
        return _EPOCH + self.rng.randint(0, 10**9)

    def span(self) -> bytes:
        rng, start = self.rng, self.moment()
        end = start + rng.choice((0, 10**6, 49_999_999, 50_000_000, 10**9))
        status = [self.number(3, rng.choice((0, 1, 2, 2, 7)))]
        if rng.random() < 0.3:
            status.insert(0, self.held(2, self.text()))
        event = [self.eight(1, start), self.held(2, "exception"), *self.attributes(3, 2, 1)]
        fields = [
            self.held(1, self.trace_id()),
            self.held(2, rng.randbytes(8)),
            *([self.held(3, self.tracestate())] if rng.random() < 0.2 else []),
            *([self.held(4, rng.randbytes(8))] if rng.random() < 0.5 else []),
            self.held(5, self.text()),
            self.number(6, rng.choice((0, 1, 2, 2, 3, 300, -1))),
            self.eight(7, start),
            self.eight(8, end),
            *self.attributes(9),
            *([self.number(10, rng.choice((1, 500)))] if rng.random() < 0.1 else []),
            *([self.held(11, self.message(event))] if rng.random() < 0.4 else []),
            *([self.held(13, self.held(4, self.key_value(1)))] if rng.random() < 0.1 else []),
            *([self.held(15, self.message(status))] if rng.random() < 0.6 else []),
            *([self.four(16, rng.choice((1, 0x101, 0x300)))] if rng.random() < 0.5 else []),
        ]
        return self.message(
            fields,
            [
                lambda: self.held(5, self.text()),
                lambda: self.number(6, 2),
                lambda: self.eight(8, start + 1),
                lambda: self.held(9, self.key_value()),
                lambda: self.held(15, self.number(3, 2)),
                lambda: self.number(5, 3),  # a known number, another wire type
            ],
        )

    def tracestate(self) -> str:
        return self.rng.choice(("ot=th:8", "ot=th:c;rv:a0000000000000,vendor=1", "a=b", "ot=x"))

    def log_record(self) -> bytes:
        rng = self.rng
        fields = [
            self.eight(1, self.moment()),
            self.eight(11, self.moment()),
            self.number(2, rng.choice((0, 1, 9, 13, 17, 24, 300))),
            *([self.held(3, self.text())] if rng.random() < 0.5 else []),
            *([self.held(5, self.any_value())] if rng.random() < 0.8 else []),
            *self.attributes(6),
            *([self.number(7, 2)] if rng.random() < 0.1 else []),
            *([self.four(8, 1)] if rng.random() < 0.5 else []),
            *([self.held(9, self.trace_id())] if rng.random() < 0.6 else []),
            *([self.held(10, rng.randbytes(8))] if rng.random() < 0.6 else []),
            *([self.held(12, self.text())] if rng.random() < 0.3 else []),
        ]
        return self.message(
            fields,
            [
                lambda: self.held(3, self.text()),
                lambda: self.held(5, self.any_value()),
                lambda: self.held(6, self.key_value()),
                lambda: self.number(2, 9),
                lambda: self.eight(3, 1.5),
            ],
        )

    def metric(self) -> bytes:
        rng = self.rng
        fields = [
            self.held(1, self.text()),
            *([self.held(2, self.text())] if rng.random() < 0.4 else []),
            *([self.held(3, self.text())] if rng.random() < 0.4 else []),
            *([self._data()] if rng.random() < 0.95 else []),
            *self.attributes(12, 1, 1),
        ]
        return self.message(fields, [lambda: self.held(1, self.text()), self._data])

    def _data(self) -> bytes:
        field, point, temporal = self.rng.choice(
            (
                (5, self.number_point, False),
                (7, self.number_point, True),
                (9, self.histogram_point, True),
                (10, self.exponential_point, True),
                (11, self.summary_point, False),
            )
        )
        parts = [self.held(1, point()) for _ in range(self.rng.randint(0, 4))]
        if temporal:
            parts.append(self.number(2, self.rng.choice((0, 1, 1, 1, 2))))
        return self.held(field, self.message(parts, [lambda: self.held(1, point())]))

    def _times(self) -> list[bytes]:
        return [self.eight(2, self.moment()), self.eight(3, self.moment())]

    def number_point(self) -> bytes:
        value = self.rng.choice(
            (
                self.eight(4, self.rng.choice(DOUBLES)),
                self.eight(6, self.rng.choice(INTEGERS)),
                self.eight(6, 2**64 - self.rng.randint(1, 9)),
                b"",
            )
        )
        flags = [self.number(8, 1)] if self.rng.random() < 0.1 else []
        return self.message([*self.attributes(7, 3), *self._times(), value, *flags])

    def histogram_point(self) -> bytes:
        counts = struct.pack("<3Q", *(self.rng.randint(0, 9) for _ in range(3)))
        fields = [
            *self.attributes(9, 3),
            *self._times(),
            self.eight(4, self.rng.randint(0, 99)),
            *([self.eight(5, self.rng.choice(DOUBLES))] if self.rng.random() < 0.8 else []),
            self.held(6, counts),
            self.held(7, struct.pack("<2d", 1.0, self.rng.choice((2.0, 3.0)))),
            *([self.eight(11, 0.5), self.eight(12, 9.5)] if self.rng.random() < 0.5 else []),
        ]
        return self.message(fields)

    def exponential_point(self) -> bytes:
        return self.message([*self.attributes(1, 3), *self._times(), self.eight(4, 3)])

    def summary_point(self) -> bytes:
        return self.message([*self.attributes(7, 3), *self._times(), self.eight(4, 3)])

    # Requests

    def request(self, signal: OtlpSignal, *, items: int = 8) -> bytes:
        """Write an export request of up to three resources, two scopes each."""
        rng = self.rng
        return self.message(
            [self.held(1, self.resource(signal, items)) for _ in range(rng.randint(0, 3))],
            [lambda: self.held(1, b""), lambda: self.number(1, 7)],
        )

    def resource(self, signal: OtlpSignal, items: int) -> bytes:
        rng = self.rng
        about = [self.held(1, self.message(self.attributes(1, 3, 1)))]
        scopes = [self.held(2, self.scope(signal, items)) for _ in range(rng.randint(0, 2))]
        url = [self.held(3, "https://schema")] if rng.random() < 0.2 else []
        return self.message(
            [*about, *scopes, *url],
            [
                lambda: self.held(2, b""),
                lambda: self.held(1, b"".join(self.attributes(1, 1, 1))),
            ],
        )

    def scope(self, signal: OtlpSignal, items: int) -> bytes:
        rng = self.rng
        name = [self.held(1, self.message([self.held(1, "scope"), self.held(2, "1.0")]))]
        found = [self.held(2, self.item(signal)) for _ in range(rng.randint(0, items))]
        url = [self.held(3, "https://schema")] if rng.random() < 0.2 else []
        return self.message(
            [*name, *found, *url],
            [lambda: self.held(2, self.item(signal)), lambda: self.held(1, self.held(2, "2.0"))],
        )
