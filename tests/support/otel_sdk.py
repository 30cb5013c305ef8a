"""Telemetry as the real OpenTelemetry SDK makes it, and its real exporters."""

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from reflexarc.events.otlp_batch import OtlpSignal

RESOURCE = Resource.create({"service.name": "rag-api", "host.name": "gpu-node-1"})


def spans(number: int = 50) -> Sequence[Any]:
    """Return a trace: one parent, and children with every kind of attribute."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test", "1.0")
    with tracer.start_as_current_span("agent", attributes={"gen_ai.system": "openai"}):
        for each in range(number):
            with tracer.start_as_current_span("chat", attributes={"n": each, "ok": True}) as span:
                span.set_attribute("temperature", each / 7)
                span.add_event("token", {"text": "\u00fc" * each, "list": [1, 2]})
                span.record_exception(ValueError("no"))
    provider.shutdown()
    return kept.get_finished_spans()


def metrics(number: int = 20) -> Any:
    """Return what one collection reads: sums, up-down sums and histograms."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=RESOURCE)
    meter = provider.get_meter("test")
    tokens, latency = meter.create_counter("tokens"), meter.create_histogram("latency")
    waiting = meter.create_up_down_counter("waiting")
    for each in range(number):
        tokens.add(each, {"model": f"m{each % 3}"})
        latency.record(each / 7, {"model": "m"})
        waiting.add(-each)
    data = reader.get_metrics_data()
    provider.shutdown()
    return data


def logs(number: int = 30) -> Sequence[Any]:
    """Return lines of a node's kernel."""
    kept = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logger = provider.get_logger("kernel")
    for each in range(number):
        logger.emit(
            timestamp=1_760_000_000_000_000_000 + each,
            body=f"NVRM: Xid (PCI:0000:0{each % 8}:00): 79, GPU has fallen off the bus.",
            attributes={"host": "gpu-node-1", "n": each},
        )
    provider.shutdown()
    return kept.get_finished_logs()


_MADE: dict[OtlpSignal, tuple[Callable[[], Any], Callable[[Any], Message], Any]] = {
    "traces": (spans, encode_spans, OTLPSpanExporter),
    "metrics": (metrics, encode_metrics, OTLPMetricExporter),
    "logs": (logs, encode_logs, OTLPLogExporter),
}


def exported(
    signal: OtlpSignal, url: str, authorization: str = "", compression: str = "none"
) -> tuple[str, bytes]:
    """Export telemetry to a server; return how that went, and the request that it was."""
    make, encode, exporter_of = _MADE[signal]
    data = make()
    headers = {"Authorization": authorization} if authorization else {}
    exporter = exporter_of(
        endpoint=f"{url.rstrip('/')}/v1/{signal}",
        headers=headers,
        compression=Compression(compression),
    )
    result = exporter.export(data)
    exporter.shutdown()
    return result.name, encode(data).SerializeToString()
