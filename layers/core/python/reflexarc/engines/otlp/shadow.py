"""Schemas that agree with OTLP on the wire and read less of it. Made at run time.

What a schema does not declare is skipped by the parser in C, which costs next to nothing. So there
is one that reads a few plain fields of every item, and one that reads attributes as a map from key
to the bytes of the value: a KeyValue has the form of a map's entry. A string is declared as bytes,
which spares its check. A map keeps the last of two equal keys where the Collector takes the first:
whoever reads it compares the number of attributes, and asks the plain schema where it differs.

Numbers of fields: https://github.com/open-telemetry/opentelemetry-proto
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import DecodeError

from reflexarc.engines.otlp.wire import Malformed
from reflexarc.events.otlp_batch import OtlpSignal

# Parsed messages are made by descriptors of ours: no generated class exists to name their type.
Parse = Callable[[bytes], Any]

_TYPES = {
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "fixed32": FieldDescriptorProto.TYPE_FIXED32,
    "fixed64": FieldDescriptorProto.TYPE_FIXED64,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field: a type of `_TYPES`, or the name of a message (a capital letter)."""

    name: str
    number: int
    type: str
    repeated: bool = False
    # Fields of one choice: setting one unsets the others.
    choice: str = ""


Messages = Mapping[str, tuple[Field, ...]]

_POINTS = (Field("points", 1, "bytes", repeated=True),)
_STATUS = (Field("code", 3, "int32"),)

# The plain fields that rules may read, by the name that OTTL gives them.
HEADERS: Mapping[OtlpSignal, Mapping[str, Field]] = {
    "traces": {
        "trace_id": Field("trace_id", 1, "bytes"),
        "trace_state": Field("trace_state", 3, "bytes"),
        "name": Field("name", 5, "bytes"),
        "kind": Field("kind", 6, "int32"),
        "start_time_unix_nano": Field("start_time_unix_nano", 7, "fixed64"),
        "end_time_unix_nano": Field("end_time_unix_nano", 8, "fixed64"),
        "status.code": Field("status", 15, "Status"),
    },
    "metrics": {
        "name": Field("name", 1, "bytes"),
        "description": Field("description", 2, "bytes"),
        "unit": Field("unit", 3, "bytes"),
        "gauge": Field("gauge", 5, "Points", choice="data"),
        "sum": Field("sum", 7, "Points", choice="data"),
        "histogram": Field("histogram", 9, "Points", choice="data"),
        "exponential_histogram": Field("exponential_histogram", 10, "Points", choice="data"),
        "summary": Field("summary", 11, "Points", choice="data"),
    },
    "logs": {
        "time_unix_nano": Field("time_unix_nano", 1, "fixed64"),
        "severity_number": Field("severity_number", 2, "int32"),
        "severity_text": Field("severity_text", 3, "bytes"),
        # An AnyValue as its bytes; of one that is written twice, all of them.
        "body": Field("body", 5, "bytes", repeated=True),
        "trace_id": Field("trace_id", 9, "bytes"),
        "event_name": Field("event_name", 12, "bytes"),
    },
}
POINTS = frozenset({"gauge", "sum", "histogram", "exponential_histogram", "summary"})
ATTRIBUTES: Mapping[OtlpSignal, int] = {"traces": 9, "logs": 6}


@cache
def headers(signal: OtlpSignal, names: frozenset[str]) -> Parse:
    """Return what reads these fields of every item: `request.x[resource].x[scope].x[item].name`."""
    fields = tuple(HEADERS[signal][name] for name in sorted(names))
    return _parser(
        {
            "Points": _POINTS,
            "Status": _STATUS,
            "Item": fields,
            "Scope": (Field("x", 2, "Item", repeated=True),),
            "Resource": (Field("x", 2, "Scope", repeated=True),),
            "Request": (Field("x", 1, "Resource", repeated=True),),
        },
        "Request",
    )


def count_of_items(signal: OtlpSignal, payload: bytes) -> int:
    """Return how many items a request has, reading none of them; raises Malformed for none."""
    try:
        request = headers(signal, frozenset())(payload)
    except DecodeError as error:
        raise Malformed(f"not OTLP: {error}") from error
    return sum(len(scope.x) for resource in request.x for scope in resource.x)


@cache
def attribute_maps(signal: OtlpSignal) -> Parse:
    """Return what reads items, one behind the other with their tags, as `scope.x[item].a` maps."""
    return _parser(
        {
            "Item": (Field("a", ATTRIBUTES[signal], "map"),),
            "Scope": (Field("x", 2, "Item", repeated=True),),
        },
        "Scope",
    )


@cache
def attribute_lists(signal: OtlpSignal) -> Parse:
    """Return what reads the same items' attributes as lists of bytes, to be counted."""
    return _parser(
        {
            "Item": (Field("a", ATTRIBUTES[signal], "bytes", repeated=True),),
            "Scope": (Field("x", 2, "Item", repeated=True),),
        },
        "Scope",
    )


@cache
def all_attributes(signal: OtlpSignal) -> Parse:
    """Return what reads the same items as one, `scope.x.a`: the attributes of all in one list.

    Where a field holds one message and several come, protobuf merges them.
    """
    return _parser(
        {
            "Item": (Field("a", ATTRIBUTES[signal], "bytes", repeated=True),),
            "Scope": (Field("x", 2, "Item"),),
        },
        "Scope",
    )


def _parser(messages: Messages, root: str) -> Parse:
    file = FileDescriptorProto(name="shadow.proto", package="shadow", syntax="proto3")
    for name, fields in messages.items():
        _declare(file.message_type.add(name=name), fields)
    # A pool of its own: schemas of one name do not meet.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    parse: Parse = message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"shadow.{root}")
    ).FromString
    return parse


def _declare(message: DescriptorProto, fields: tuple[Field, ...]) -> None:
    choices: dict[str, int] = {}
    for field in fields:
        made = message.field.add(
            name=field.name,
            number=field.number,
            label=(
                FieldDescriptorProto.LABEL_REPEATED
                if field.repeated or field.type == "map"
                else FieldDescriptorProto.LABEL_OPTIONAL
            ),
        )
        if field.type == "map":
            _declare_map(message, made)
        elif field.type in _TYPES:
            made.type = _TYPES[field.type]
        else:
            made.type = FieldDescriptorProto.TYPE_MESSAGE
            made.type_name = f".shadow.{field.type}"
        if field.choice:
            if field.choice not in choices:
                choices[field.choice] = len(message.oneof_decl)
                message.oneof_decl.add(name=field.choice)
            made.oneof_index = choices[field.choice]


def _declare_map(message: DescriptorProto, field: FieldDescriptorProto) -> None:
    """Declare `map<string, bytes>`: protobuf spells it as a repeated entry."""
    entry = message.nested_type.add(name="AEntry")
    entry.options.map_entry = True
    optional = FieldDescriptorProto.LABEL_OPTIONAL
    entry.field.add(name="key", number=1, label=optional, type=_TYPES["string"])
    entry.field.add(name="value", number=2, label=optional, type=_TYPES["bytes"])
    field.type = FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".shadow.{message.name}.AEntry"
