"""OTLP's JSON form to its protobuf form, as fast as Python goes. Pure.

What writes a message is put together once from the descriptors of the plain schema, so that it
knows every field that the schema has. Attributes are nine tenths of a request: they have a path of
their own. Fields are written in the order of their numbers and zeros are left out, as protobuf's
own writers do. Fields of unknown names are passed over, as OTLP asks.
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

import gc
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from pydantic_core import from_json

from reflexarc.engines.otlp import otlp_json_values as values
from reflexarc.engines.otlp.otlp_json_values import Scalar, WrongJson, wrong
from reflexarc.engines.otlp.outlines import IDS, REQUESTS
from reflexarc.engines.otlp.verdicts import TooManyParts
from reflexarc.engines.otlp.wire import FIXED32, FIXED64, LENGTH, VARINT, tag, varint
from reflexarc.events.otlp_batch import OtlpSignal

# A message's body; a field with its tag, nothing where it is as good as absent.
Body = Callable[[Any], bytes]
Field = Callable[[Any], bytes]

_KNOWN_LENGTHS = 2_048
_LENGTHS = tuple(map(varint, range(_KNOWN_LENGTHS)))
_TEXTS = tuple(b"\x0a" + length for length in _LENGTHS)
_KEYS_KEPT = 4_096
# While it is parsed and written anew an empty object takes 300 bytes at worst, a number in a list
# 130; in the document they have three and two. An attribute has two objects in 36 characters.
_SMALL = 2 * 1024 * 1024
_OBJECTS_MAX, _ELEMENTS_MAX = 600_000, 1_500_000


def protobuf_of(document: bytes, signal: OtlpSignal) -> bytes:
    """Return an export request in protobuf; raises WrongJson where the document is none.

    Raises TooManyParts where it would take far more memory than it has characters.
    """
    if len(document) > _SMALL:
        _check_parts(document)
    parsed = _parsed(document)
    try:
        return _encoder(signal)(parsed)
    except RecursionError:
        raise WrongJson("the document is nested too deeply") from None


def _check_parts(document: bytes) -> None:
    # Marks within texts are counted too; they are few beside what stands around them.
    if document.count(b"{") + document.count(b"[") > _OBJECTS_MAX:
        raise TooManyParts(f"{_OBJECTS_MAX:,} objects and lists")
    if document.count(b",") > _ELEMENTS_MAX:
        raise TooManyParts(f"{_ELEMENTS_MAX:,} elements")


def _parsed(document: bytes) -> Any:
    # What is made here holds no cycles, and is most of what there is: looking through it for some,
    # again and again while it grows, costs as much as making it.
    watched = gc.isenabled()
    gc.disable()
    try:
        return _read(document)
    finally:
        if watched:
            gc.enable()


def _read(document: bytes) -> Any:
    try:
        return from_json(document, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        if "recursion" in str(error):
            raise WrongJson("the document is nested too deeply") from None
    # The slower parser takes half of a surrogate pair, and tells better what is wrong.
    try:
        return json.loads(document, parse_constant=_no_constant)
    except RecursionError:
        raise WrongJson("the document is nested too deeply") from None
    except ValueError as error:
        raise WrongJson(f"this is not JSON: {str(error)[:200]}") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} must be a string")


@cache
def _encoder(signal: OtlpSignal) -> Body:
    return _Bodies().of(REQUESTS[signal])


class _Bodies:
    """Makes what writes messages, each kind once: an AnyValue may hold others of its kind."""

    def __init__(self) -> None:
        self._made: dict[str, Body] = {}

    def of(self, descriptor: Descriptor) -> Body:
        """Return what writes messages of one kind."""
        name = descriptor.full_name
        if name not in self._made:

            def itself(value: Any) -> bytes:
                return self._made[name](value)

            # What refers to itself on the way finds this.
            self._made[name] = itself
            body = self._body(descriptor)
            self._made[name] = _any_value(body) if descriptor.name == "AnyValue" else body
        return self._made[name]

    def _body(self, descriptor: Descriptor) -> Body:
        fields = tuple(
            (field.json_name, f".{field.json_name}", self._field(field))
            for field in sorted(descriptor.fields, key=lambda field: field.number)
        )
        choices = tuple(
            tuple(field.json_name for field in choice.fields)
            for choice in descriptor.oneofs
            if len(choice.fields) > 1
        )

        def write(value: Any) -> bytes:
            if value.__class__ is not dict:
                wrong("an object", value)
            get = value.get
            pieces = []
            for name, step, field in fields:
                found = get(name)
                if found is not None:
                    try:
                        pieces.append(field(found))
                    except WrongJson as error:
                        raise error.within(step) from None
            if len(pieces) > 1:
                _check_choices(value, choices)
            return b"".join(pieces)

        return write

    def _field(self, field: FieldDescriptor) -> Field:
        kind = field.message_type
        if kind is None:
            return _scalar_field(field)
        before, body = tag(field.number, LENGTH), self.of(kind)
        if not field.is_repeated:
            return _one(before, body)
        if kind.name == "KeyValue":
            return _attributes(before, body, self.of(AnyValue.DESCRIPTOR))
        return _many(before, body)


def _check_choices(value: Mapping[str, Any], choices: Sequence[Sequence[str]]) -> None:
    for names in choices:
        there = [name for name in names if value.get(name) is not None]
        if len(there) > 1:
            raise WrongJson(f"there is one of {' and '.join(there)}, not both")


def _scalar_field(field: FieldDescriptor) -> Field:
    kind, write = _scalar(field)
    if not field.is_repeated:
        return _single(tag(field.number, kind), write, field, sized=kind == LENGTH)
    if kind == LENGTH:
        return _many(tag(field.number, kind), write)
    return _packed(tag(field.number, LENGTH), write)


def _scalar(field: FieldDescriptor) -> tuple[int, Scalar]:
    if field.enum_type is not None:
        names = {value.name: value.number for value in field.enum_type.values}
        return VARINT, values.enums(names)
    if field.type == FieldDescriptor.TYPE_BYTES:
        # OTLP writes ids in hex, and all other bytes as protobuf does.
        return LENGTH, values.hexadecimal if field.name in IDS else values.base64
    return _SCALARS[field.type]


_int64 = values.varints(-(1 << 63), (1 << 63) - 1)
_SCALARS: Mapping[int, tuple[int, Scalar]] = {
    FieldDescriptor.TYPE_BOOL: (VARINT, values.truth),
    FieldDescriptor.TYPE_DOUBLE: (FIXED64, values.double),
    FieldDescriptor.TYPE_FIXED32: (FIXED32, values.fixed("<I", 0, (1 << 32) - 1)),
    FieldDescriptor.TYPE_FIXED64: (FIXED64, values.fixed("<Q", 0, (1 << 64) - 1)),
    FieldDescriptor.TYPE_INT32: (VARINT, values.varints(-(1 << 31), (1 << 31) - 1)),
    FieldDescriptor.TYPE_INT64: (VARINT, _int64),
    FieldDescriptor.TYPE_SFIXED64: (FIXED64, values.fixed("<q", -(1 << 63), (1 << 63) - 1)),
    FieldDescriptor.TYPE_SINT32: (VARINT, values.zigzags(32)),
    FieldDescriptor.TYPE_STRING: (LENGTH, values.text),
    FieldDescriptor.TYPE_UINT32: (VARINT, values.varints(0, (1 << 32) - 1)),
    FieldDescriptor.TYPE_UINT64: (VARINT, values.varints(0, (1 << 64) - 1)),
}


def _length(size: int) -> bytes:
    return _LENGTHS[size] if size < _KNOWN_LENGTHS else varint(size)


def _single(before: bytes, write: Scalar, field: FieldDescriptor, *, sized: bool) -> Field:
    """Return the writer of one value: zero is written only where absence says something else."""
    counts = field.has_presence

    def string(value: Any) -> bytes:
        written = write(value)
        return before + _length(len(written)) + written if written or counts else b""

    def number(value: Any) -> bytes:
        written = write(value)
        return before + written if counts or written.strip(b"\0") else b""

    return string if sized else number


def _packed(before: bytes, write: Scalar) -> Field:
    def packed(value: Any) -> bytes:
        written = _each(value, write)
        return before + _length(len(written)) + written if written else b""

    return packed


def _each(value: Any, write: Scalar) -> bytes:
    if value.__class__ is not list:
        wrong("a list", value)
    pieces: list[bytes] = []
    try:
        for element in value:
            pieces.append(write(element))  # noqa: PERF401 - says at which element it failed
    except WrongJson as error:
        raise error.within(f"[{len(pieces)}]") from None
    return b"".join(pieces)


def _one(before: bytes, body: Body) -> Field:
    def one(value: Any) -> bytes:
        written = body(value)
        return before + _length(len(written)) + written

    return one


def _many(before: bytes, body: Body) -> Field:
    one = _one(before, body)

    def many(value: Any) -> bytes:
        return _each(value, one)

    return many


@lru_cache(maxsize=_KEYS_KEPT)
def _key(key: str) -> bytes:
    """Return a key as it stands in a KeyValue: the same ones come again and again."""
    written = values.text(key)
    return b"\x0a" + _length(len(written)) + written if written else b""


def _attributes(before: bytes, body: Body, any_value: Body) -> Field:
    """Return the writer of attributes: of a key and a value at once, of anything else as usual."""

    def attributes(value: Any) -> bytes:
        if value.__class__ is not list:
            wrong("a list", value)
        pieces: list[bytes] = []
        for number, pair in enumerate(value):
            try:
                key, held = pair["key"], pair["value"]
                usual = len(pair) == 2 and key.__class__ is str  # noqa: PLR2004 - key and value
            except (KeyError, TypeError):
                usual = False
            try:
                if usual and held is not None:
                    name, written = _key(key), any_value(held)
                    lead = b"\x12" + _length(len(written))
                    size = _length(len(name) + len(lead) + len(written))
                    pieces += (before, size, name, lead, written)
                else:
                    written = body(pair)
                    pieces += (before, _length(len(written)), written)
            except WrongJson as error:
                step = f"[{number}].value" if usual else f"[{number}]"
                raise error.within(step) from None
        return b"".join(pieces)

    return attributes


def _any_value(usual: Body) -> Body:
    """Return the writer of an AnyValue: of one plain value at once, of all else as usual."""

    def any_value(value: Any) -> bytes:
        try:
            [(kind, said)] = value.items()
            return _PLAIN[kind](said)
        except (AttributeError, IndexError, KeyError, ValueError, WrongJson):
            return usual(value)

    return any_value


def _text_value(said: Any) -> bytes:
    written: bytes = said.encode()
    return _TEXTS[len(written)] + written


# An AnyValue, by the name of what it holds.
_PLAIN: Mapping[str, Scalar] = {
    "stringValue": _text_value,
    "intValue": lambda said: b"\x18" + _int64(said),
    "doubleValue": lambda said: b"\x21" + values.double(said),
    "boolValue": lambda said: b"\x10" + values.truth(said),
}
