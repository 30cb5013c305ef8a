"""Schemas that look at a whole export request and keep next to nothing of it. Made at run time.

A message that stands where protobuf expects one message, and is there twice, is merged. So where
each list of messages is declared as one message, the parser goes through all of a request, item by
item, and holds one of each kind. It finds whatever is wrong on the way, and what it takes does not
grow with the number of items: a request made of ten million empty spans costs what its bytes cost.

Made from the plain schema, so that they know every field that it has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.events.otlp_batch import OtlpSignal

# Parsed messages are made by descriptors of ours: no generated class exists to name their type.
Parse = Callable[[bytes], Any]

REQUESTS: Mapping[OtlpSignal, Descriptor] = {
    "traces": trace_service_pb2.ExportTraceServiceRequest.DESCRIPTOR,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest.DESCRIPTOR,
    "logs": logs_service_pb2.ExportLogsServiceRequest.DESCRIPTOR,
}
ITEMS: Mapping[OtlpSignal, Descriptor] = {
    "traces": Span.DESCRIPTOR,
    "metrics": Metric.DESCRIPTOR,
    "logs": LogRecord.DESCRIPTOR,
}
# How many bytes an id has, wherever OTLP has one.
IDS: Mapping[str, int] = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
# The numbers of the fields that lead from a request to its items, whatever the signal.
LEVELS = (1, 2, 2)

_POINTS = "data_points"
_SIZED = {FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE}
Declared = FieldDescriptorProto | None


@cache
def everything(signal: OtlpSignal) -> Parse:
    """Return what goes through every byte of a request; raises DecodeError, and is worth nothing.

    Numbers in lists are kept, each in the bytes that it took. Those of varying size are read as
    bools: a reader of varints it is all the same, and one byte each.
    """

    def declare(field: FieldDescriptor) -> Declared:
        made = _declared(field, field.type)
        if field.enum_type is not None:
            made.type = FieldDescriptorProto.TYPE_INT32
        if field.is_repeated and field.type not in _SIZED:
            made.label = FieldDescriptorProto.LABEL_REPEATED
            if field.type == FieldDescriptor.TYPE_UINT64:
                made.type = FieldDescriptorProto.TYPE_BOOL
        return made

    return _parser(REQUESTS[signal], declare)


@cache
def ids(kind: Descriptor) -> Parse:
    """Return what lists the ids of a request or an item, all of one field together."""

    def declare(field: FieldDescriptor) -> Declared:
        if field.message_type is not None:
            return _declared(field, field.type) if _leads_to_ids(field.message_type, ()) else None
        return _listed(field) if field.name in IDS else None

    return _parser(kind, declare)


def columns(found: Any) -> Iterator[tuple[str, Sequence[bytes]]]:
    """Return the lists that `ids` made, each with its field's name."""
    for field, value in found.ListFields():
        if field.message_type is None:
            yield field.name, value
        else:
            yield from columns(value)


@cache
def points() -> Parse:
    """Return what lists the points of a metric, of whatever type: `metric.type.data_points`."""

    def declare(field: FieldDescriptor) -> Declared:
        kind = field.message_type
        if field.name == _POINTS:
            return _listed(field)
        return _declared(field, field.type) if kind and _POINTS in kind.fields_by_name else None

    return _parser(Metric.DESCRIPTOR, declare)


@cache
def parts(level: int) -> Parse:
    """Return what lists as `x.x.x` the parts that a request has: resources, scopes or items (2)."""
    file = FileDescriptorProto(name="parts.proto", package="parts", syntax="proto3")
    for depth, number in enumerate(LEVELS[: level + 1]):
        field = file.message_type.add(name=f"L{depth}").field.add(name="x", number=number)
        if depth == level:
            field.type, field.label = _BYTES, FieldDescriptorProto.LABEL_REPEATED
        else:
            field.type, field.type_name = _MESSAGE, f".parts.L{depth + 1}"
    return _made(file, "parts.L0")


@cache
def level(number: int) -> Any:
    """Return the class of a message that lists one field's parts as `x`; keeps all else as it is.

    What a request has, with `1`, or a resource or a scope, with `2`.
    """
    file = FileDescriptorProto(name="level.proto", package="level", syntax="proto3")
    file.message_type.add(name="L").field.add(
        name="x", number=number, type=_BYTES, label=FieldDescriptorProto.LABEL_REPEATED
    )
    return _class(file, "level.L")


_BYTES, _MESSAGE = FieldDescriptorProto.TYPE_BYTES, FieldDescriptorProto.TYPE_MESSAGE


def _declared(field: FieldDescriptor, kind: Any) -> FieldDescriptorProto:
    optional = FieldDescriptorProto.LABEL_OPTIONAL
    return FieldDescriptorProto(name=field.name, number=field.number, type=kind, label=optional)


def _listed(field: FieldDescriptor) -> FieldDescriptorProto:
    made = _declared(field, _BYTES)
    made.label = FieldDescriptorProto.LABEL_REPEATED
    return made


def _leads_to_ids(kind: Descriptor, above: tuple[str, ...]) -> bool:
    if kind.full_name in above:
        return False
    above = (*above, kind.full_name)
    return any(
        field.name in IDS
        or (field.message_type is not None and _leads_to_ids(field.message_type, above))
        for field in kind.fields
    )


def _parser(root: Descriptor, declare: Callable[[FieldDescriptor], Declared]) -> Parse:
    file = FileDescriptorProto(name="outline.proto", package="outline", syntax="proto3")
    waiting, known = [root], {root.full_name}
    while waiting:
        kind = waiting.pop()
        message = file.message_type.add(name=_flat(kind))
        for field in kind.fields:
            made = declare(field)
            if made is None:
                continue
            below = field.message_type
            if below is not None and made.type == _MESSAGE:
                made.type_name = f".outline.{_flat(below)}"
                if below.full_name not in known:
                    known.add(below.full_name)
                    waiting.append(below)
            message.field.append(made)
    return _made(file, f"outline.{_flat(root)}")


def _flat(kind: Descriptor) -> str:
    return kind.full_name.replace(".", "_")


def _made(file: FileDescriptorProto, root: str) -> Parse:
    parse: Parse = _class(file, root).FromString
    return parse


def _class(file: FileDescriptorProto, root: str) -> Any:
    # A pool of its own: schemas of one name do not meet.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(root))
