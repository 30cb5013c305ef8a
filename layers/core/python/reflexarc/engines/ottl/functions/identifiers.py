"""Converters that make ids: TraceID, SpanID, ProfileID from bytes; UUID, UUIDv7 out of nothing."""

import secrets
import time
import uuid
from collections.abc import Callable, Mapping

from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.values import EvaluationError, Id


def _identifier(name: str, size: int) -> Converter:
    def made(data: bytes) -> Id:
        if len(data) == size:
            return Id(data)
        if len(data) != 2 * size:
            raise EvaluationError(f"{name} takes {size} bytes or {2 * size} hexadecimal digits")
        try:
            return Id(bytes.fromhex(data.decode("ascii")))
        except ValueError:
            raise EvaluationError(f"{name}: these are no hexadecimal digits") from None

    def prepare(given: Mapping[str, object]) -> Callable[..., object]:
        if "target" not in given:
            return made
        target = given["target"]
        try:
            found = made(target if isinstance(target, bytes) else b"")
        except EvaluationError as error:
            raise ValueError(str(error)) from None
        return lambda: found

    return Converter(name, parameters("target: bytes_like"), prepare, "id", static=("target",))


def uuid4() -> str:
    """Return a random UUID."""
    return str(uuid.uuid4())


def uuid7() -> str:
    """Return a UUID that begins with the time in milliseconds."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


CONVERTERS = table(
    _identifier("TraceID", 16),
    _identifier("SpanID", 8),
    _identifier("ProfileID", 16),
    Converter("UUID", (), uuid4, "string", total=True, pure=False),
    Converter("UUIDv7", (), uuid7, "string", total=True, pure=False),
)
