"""Items, scopes and resources are decoded when they are asked for, and remembered within bounds."""

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.otlp.wire import Malformed
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan import whole
from reflexarc.telemetry.plan.whole import RESOURCES, SCOPES, Decoder, Owner, Whole
from tests.support.otlp import gauge, metrics, span, traces
from tests.support.otlp_requests import nested


class Parsed:
    """Parses, and counts how often."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, data: bytes) -> Any:
        self.asked.append(data)
        return ResourceSpans.FromString(data)


def whole_of(signal: OtlpSignal, payload: bytes) -> Whole:
    """Return the first item of a request."""
    parts = framed(payload)
    (resource,) = parts.resources
    resources = Decoder(RESOURCES[signal].FromString)
    scopes = Decoder(SCOPES[signal].FromString)
    owner = Owner(resources, scopes, signal, parts, resource, resource.scopes[0])
    return Whole(owner, 0)


def schema(number: int) -> bytes:
    return ResourceSpans(schema_url=f"{number:>1000}").SerializeToString()


def test_a_message_is_decoded_once() -> None:
    parsed = Parsed()
    decoder = Decoder(parsed)

    assert decoder(schema(1)) is decoder(schema(1))
    assert parsed.asked == [schema(1)]


@pytest.mark.parametrize(("limit", "size"), [("REMEMBERED", 3), ("REMEMBERED_SIZE", 3_500)])
def test_all_is_forgotten_where_much_came(
    limit: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, limit, size)
    parsed = Parsed()
    decoder = Decoder(parsed)

    for number in (1, 2, 3, 1, 2, 3, 4, 4, 1, 4):
        decoder(schema(number))

    assert parsed.asked == [schema(number) for number in (1, 2, 3, 4, 1)]


def test_what_is_no_message_is_malformed() -> None:
    with pytest.raises(Malformed, match="not OTLP"):
        Decoder(ResourceSpans.FromString)(b"\x0a\x05a")


def test_an_item_knows_its_scope_and_resource() -> None:
    found = whole_of("traces", traces(span(1, "a"), scope="lib"))

    assert found.item.name == "a"
    assert found.item is found.item
    assert found.owner.scope.scope.name == "lib"
    assert found.owner.resource.resource.attributes[0].key == "service.name"
    assert not found.owner.scope.spans
    assert not found.owner.resource.scope_spans


def test_an_item_that_cannot_be_decoded_says_so() -> None:
    found = whole_of("traces", nested(b"\x2a\x01\xff", 1, 2, 2))

    with pytest.raises(EvaluationError, match="cannot be decoded"):
        _ = found.item


def test_events_and_points_are_counted() -> None:
    eventful = span(1, "a")
    eventful.events.add()
    eventful.events.add()

    assert whole_of("traces", traces(eventful)).parts == 2
    assert whole_of("metrics", metrics(gauge("a", (1.0, {}), (2.0, {}), (3.0, {})))).parts == 3
    assert whole_of("metrics", nested(b"", 1, 2, 2)).parts == 0
