"""What the demo's services tell by OTLP: a shop, its gateway and a bot, and a node's kernel log.

Much of it nobody needs, some of it nobody may see, and a few failures hide among the noise:
`samples/rules/telemetry.yaml` has a rule for each.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Metric,
    NumberDataPoint,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from reflexarc.events.otlp_batch import OtlpSignal

ROUNDS = 12
# What no backend may see. The key is made up at each run: a scanner of secrets would find it here.
ADDRESS = "ada.lovelace@example.com"
_KEY_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CHECKS, _CARTS, _CHATS, _READS, _PODS = 10, 2, 2, 4, 4
# Of health checks, payments and log lines one in so many fails.
_FAILING = 11
_KMSG = re.compile(r"\[\s*(\d+)\.(\d+)\] (.*)")
_EMERGENCY_PRIORITY = 2

Value = str | int | Mapping[str, "Value"]


@dataclass(frozen=True, slots=True)
class Export:
    """One request of an exporter."""

    signal: OtlpSignal
    payload: bytes


@dataclass(slots=True)
class Services:
    """The services, from the moment `at` on; what they make up follows from the dice."""

    dice: random.Random
    at: datetime
    key: str = ""
    _done: int = 0

    def __post_init__(self) -> None:
        """Make up the key that somebody pastes into a prompt."""
        self.key = "sk-proj-" + "".join(self.dice.choices(_KEY_LETTERS, k=40))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what stands in prompts and attributes and must not leave."""
        return ADDRESS, self.key

    def exports(self) -> Iterator[Export]:
        """Yield the requests of all rounds, each round's signals in turn."""
        for _ in range(ROUNDS):
            yield Export("traces", self._traces())
            yield Export("metrics", self._metrics())
            yield Export("logs", self._logs())
            self.at += timedelta(milliseconds=600)

    def _traces(self) -> bytes:
        request = ExportTraceServiceRequest()
        carts = [self._cart() for _ in range(_CARTS)]
        checks = [self._health_check() for _ in range(_CHECKS)]
        _add_spans(request, "gateway", [*checks, *(spans[0] for spans in carts)])
        _add_spans(request, "checkout", [span for spans in carts for span in spans[1:]])
        _add_spans(request, "shop-bot", [self._chat() for _ in range(_CHATS)])
        return request.SerializeToString()

    def _health_check(self) -> Span:
        status = 503 if self._fails() else 200
        said: dict[str, Value] = {
            "url.path": "/healthz",
            "user_agent.original": "kube-probe/1.31",
            "http.response.status_code": status,
        }
        span = self._span("GET /healthz", 1, said)
        span.kind = Span.SPAN_KIND_SERVER
        return span

    def _cart(self) -> list[Span]:
        number = self.dice.randrange(1_000, 9_999)
        said: dict[str, Value] = {
            "http.route": "/cart/{id}/checkout",
            "url.path": f"/cart/{number}/checkout",
            "user.email": ADDRESS,
            "http.response.status_code": 200,
        }
        root = self._span("POST /cart/{id}/checkout", 220, said)
        pay = self._span("charge card", 180, {"server.address": "pay.example"}, root)
        if self._fails():
            pay.status.code = Status.STATUS_CODE_ERROR
        reads = [
            self._span("redis GET", 0.4, {"db.system.name": "redis"}, root) for _ in range(_READS)
        ]
        return [root, pay, *reads]

    def _chat(self) -> Span:
        asked = f"I am {ADDRESS}; my key {self.key} is refused. Why?"
        said: dict[str, Value] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.usage.input_tokens": self.dice.randrange(40, 400),
            "gen_ai.input.messages": (
                f'[{{"role":"user","parts":[{{"type":"text","content":"{asked}"}}]}}]'
            ),
        }
        return self._span("chat gpt-5-mini", 900, said)

    def _span(
        self, name: str, ms: float, said: Mapping[str, Value], parent: Span | None = None
    ) -> Span:
        began = _nanos(self.at)
        return Span(
            trace_id=parent.trace_id if parent else self.dice.randbytes(16),
            span_id=self.dice.randbytes(8),
            parent_span_id=parent.span_id if parent else b"",
            name=name,
            kind=Span.SPAN_KIND_CLIENT if parent else Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=began,
            end_time_unix_nano=began + int(ms * 1_000_000),
            attributes=_attributes(said),
        )

    def _metrics(self) -> bytes:
        request = ExportMetricsServiceRequest()
        part = request.resource_metrics.add()
        part.resource.attributes.extend(_attributes({"service.name": "gateway"}))
        metric = Metric(name="http.server.requests", unit="{request}")
        metric.sum.is_monotonic = True
        metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
        for pod in range(_PODS):
            for route in ("/cart/{id}/checkout", "/products"):
                metric.sum.data_points.append(
                    NumberDataPoint(
                        attributes=_attributes({"pod": f"gateway-{pod}", "http.route": route}),
                        start_time_unix_nano=_nanos(self.at),
                        time_unix_nano=_nanos(self.at) + 600_000_000,
                        as_int=self.dice.randrange(1, 90),
                    )
                )
        part.scope_metrics.add().metrics.append(metric)
        return request.SerializeToString()

    def _logs(self) -> bytes:
        order = self.dice.randrange(10_000, 99_999)
        lines = [
            (f"order {order}: stock is reserved", SeverityNumber.SEVERITY_NUMBER_DEBUG),
            (f"order {order}: cart is locked", SeverityNumber.SEVERITY_NUMBER_DEBUG),
            (f"order {order} placed", SeverityNumber.SEVERITY_NUMBER_DEBUG),
            (f"receipt goes to {ADDRESS}", SeverityNumber.SEVERITY_NUMBER_INFO),
        ]
        if self._fails():
            lines.append(("payment timed out", SeverityNumber.SEVERITY_NUMBER_ERROR))
        records = [
            LogRecord(
                time_unix_nano=_nanos(self.at),
                severity_number=severity,
                body=AnyValue(string_value=text),
            )
            for text, severity in lines
        ]
        return _request_of_logs({"service.name": "checkout"}, records)

    def _fails(self) -> bool:
        """Return whether what is done next fails: one in so many does."""
        self._done += 1
        return self._done % _FAILING == 0


def kernel_line(node: str, line: str, at: datetime) -> Export:
    """Return a line of a node's kernel log as Fluent Bit sends it (samples/fluent-bit)."""
    found = _KMSG.fullmatch(line)
    since_boot, text = (found.groups()[:2], found[3]) if found else (("0", "0"), line)
    said: dict[str, Value] = {
        "priority": _EMERGENCY_PRIORITY,
        "sequence": 1,
        "sec": int(since_boot[0]),
        "usec": int(since_boot[1]),
        "msg": text,
        "hostname": node,
    }
    record = LogRecord(time_unix_nano=_nanos(at), body=_any(said))
    return Export("logs", _request_of_logs({}, [record]))


def _add_spans(request: ExportTraceServiceRequest, service: str, spans: Sequence[Span]) -> None:
    part = request.resource_spans.add()
    part.resource.attributes.extend(_attributes({"service.name": service}))
    part.scope_spans.add().spans.extend(spans)


def _request_of_logs(about: Mapping[str, Value], records: Sequence[LogRecord]) -> bytes:
    request = ExportLogsServiceRequest()
    part = request.resource_logs.add()
    part.resource.attributes.extend(_attributes(about))
    part.scope_logs.add().log_records.extend(records)
    return request.SerializeToString()


def _attributes(said: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_any(value)) for name, value in said.items()]


def _any(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(kvlist_value=KeyValueList(values=_attributes(value)))


def _nanos(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000_000)
