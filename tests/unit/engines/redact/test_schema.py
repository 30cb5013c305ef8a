"""The table of texts against the published schema."""

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.engines.redact.schema import REQUESTS, Message


def described(descriptor: Descriptor, seen: dict[str, tuple[set[int], dict[int, str]]]) -> None:
    """Collect the texts and messages that protobuf's own descriptors know."""
    if descriptor.name in seen:
        return
    texts = {f.number for f in descriptor.fields if f.type == FieldDescriptor.TYPE_STRING}
    inner = {f.number: f.message_type for f in descriptor.fields if f.message_type}
    seen[descriptor.name] = (texts, {number: message.name for number, message in inner.items()})
    for message in inner.values():
        described(message, seen)


def stated(message: Message, seen: dict[str, tuple[set[int], dict[int, str]]]) -> None:
    if message.name in seen:
        return
    inner = {number: part.name for number, part in message.messages.items()}
    seen[message.name] = (set(message.texts), inner)
    for part in message.messages.values():
        stated(part, seen)


def test_the_table_of_texts_is_what_the_published_schema_says() -> None:
    ours: dict[str, tuple[set[int], dict[int, str]]] = {}
    theirs: dict[str, tuple[set[int], dict[int, str]]] = {}
    for signal, request in (
        ("traces", ExportTraceServiceRequest),
        ("metrics", ExportMetricsServiceRequest),
        ("logs", ExportLogsServiceRequest),
    ):
        stated(REQUESTS[signal], ours)  # type: ignore[index]
        described(request.DESCRIPTOR, theirs)
    not_searched = {"KeyValue": {1}, "Metric": {1, 3}, "Span": {3}, "Link": {3}}
    without_text = {"EntityRef", "Buckets", "ValueAtQuantile"}

    for name, (texts, inner) in theirs.items():
        if name in without_text or name.startswith("Export"):
            continue
        searched = texts - not_searched.get(name, set())
        messages = {n: m for n, m in inner.items() if m not in without_text}
        assert (name, ours[name]) == (name, (searched, messages))
