"""Attributes as text, and which node telemetry is of. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

NODE_MAX = 253
_TEXT_MAX = 1_000
_NANO = 1_000_000_000


def text_of(value: AnyValue) -> str:
    """Return a value as text, none for a list or a map."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value[:_TEXT_MAX]
    if kind in {"int_value", "double_value"}:
        return str(getattr(value, kind))
    return str(value.bool_value).lower() if kind == "bool_value" else ""


def texts_of(attributes: Iterable[Any], most: int = 1_000) -> dict[str, str]:
    """Return attributes as texts; of two with one key the first counts, as in the Collector."""
    found: dict[str, str] = {}
    for attribute in attributes:
        if len(found) == most:
            break
        if attribute.key not in found and (text := text_of(attribute.value)):
            found[attribute.key] = text
    return found


def node_of(resource: Mapping[str, str], said: Iterable[str] = ()) -> str:
    """Return the node that telemetry is of, empty where it names none.

    Kubernetes' own name first: in a pod host.name is the pod's. What an item itself says comes
    before host.name, which a gateway's detector sets to the gateway.
    """
    names = (resource.get("k8s.node.name", ""), *said, resource.get("host.name", ""))
    return next((name for name in map(str.strip, names) if name and len(name) <= NODE_MAX), "")


def moment(nanoseconds: int) -> datetime | None:
    """Return a time in Unix nanoseconds, None where it is none."""
    return datetime.fromtimestamp(nanoseconds / _NANO, UTC) if nanoseconds > 0 else None
