"""Random export requests of every field, and their JSON form as OTLP has it."""

import base64
import json
import random
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.events.otlp_batch import OtlpSignal

REQUESTS: Mapping[OtlpSignal, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
SIGNALS: tuple[OtlpSignal, ...] = ("traces", "metrics", "logs")
_IDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
_HEX = ("traceId", "spanId", "parentSpanId")
_TEXTS = ("", "a", "http.route", "ü", "\0", "\U0001f600", '"\\\n', "x" * 130, "y" * 20_000)
_BITS = {
    FieldDescriptor.TYPE_INT32: (-31, 31),
    FieldDescriptor.TYPE_SINT32: (-31, 31),
    FieldDescriptor.TYPE_ENUM: (-31, 31),
    FieldDescriptor.TYPE_UINT32: (0, 32),
    FieldDescriptor.TYPE_FIXED32: (0, 32),
    FieldDescriptor.TYPE_INT64: (-63, 63),
    FieldDescriptor.TYPE_SFIXED64: (-63, 63),
    FieldDescriptor.TYPE_UINT64: (0, 64),
    FieldDescriptor.TYPE_FIXED64: (0, 64),
}


def random_request(signal: OtlpSignal, seed: int) -> Message:
    """Return a request that may hold anything the schema knows; its ids are valid."""
    request = REQUESTS[signal]()
    _fill(request, random.Random(seed), depth=0)
    return request


def _fill(message: Message, rng: random.Random, depth: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if depth > 0 and field.name not in {"trace_id", "span_id"} and rng.random() < 0.4:
            continue
        if field.message_type is not None:
            _fill_messages(message, field, rng, depth)
        elif field.is_repeated:
            getattr(message, field.name).extend(
                _scalar(field, rng) for _ in range(rng.choice((0, 1, 3)))
            )
        else:
            setattr(message, field.name, _scalar(field, rng))


def _fill_messages(message: Message, field: Any, rng: random.Random, depth: int) -> None:
    if depth > 11:
        return
    if not field.is_repeated:
        getattr(message, field.name).SetInParent()
        _fill(getattr(message, field.name), rng, depth + 1)
        return
    for _ in range(rng.choice((0, 1, 1, 2)) if depth else 2):
        _fill(getattr(message, field.name).add(), rng, depth + 1)


def _scalar(field: Any, rng: random.Random) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(_IDS.get(field.name, rng.choice((0, 1, 2, 200))))
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(_TEXTS)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return rng.choice(
            (0.0, -0.0, 1.5, -1e300, 5e-324, float("inf"), float("-inf"), rng.random())
        )
    low, high = _BITS[field.type]
    least, most = -(1 << -low) if low else 0, (1 << high) - 1
    return rng.choice((0, 1, 127, 128, least, most, rng.randint(least, most)))


def otlp_json(request: Message) -> bytes:
    """Return the request in OTLP's JSON form, as json_format writes it but for its ids."""
    document = json_format.MessageToDict(request, use_integers_for_enums=True)
    _hex_ids(document)
    return json.dumps(document, ensure_ascii=False).encode()


def _hex_ids(held: Any) -> None:
    if isinstance(held, dict):
        for name in _HEX:
            if name in held:
                held[name] = base64.b64decode(held[name]).hex()
    for each in held.values() if isinstance(held, dict) else held:
        if isinstance(each, dict | list):
            _hex_ids(each)
