import base64
import random

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.adapters.memory.telemetry_rules import MemoryTelemetryObjects
from reflexarc.events.llm_spans import LlmSpans
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.llm_spans import llm_spans
from reflexarc.telemetry.packing import unpacked
from reflexarc.telemetry.told import BODY_MAX, Batch
from tests.support.otlp import NOW, attributes, logs, record, span, span_ids, traces

BUCKET = MemoryTelemetryObjects()


def told(payload: bytes, signal: OtlpSignal = "traces") -> list[LlmSpans]:
    batch = Batch(id="b-1", signal=signal, payload=payload, received_at=NOW, source="gateway-1")
    messages = [each.message for each in llm_spans(batch, BUCKET.keep, NOW)]
    assert all(isinstance(each, LlmSpans) for each in messages)
    return [LlmSpans.model_validate_json(each.model_dump_json(by_alias=True)) for each in messages]


def content(message: LlmSpans) -> bytes:
    if message.pointer is not None:
        return unpacked(BUCKET.kept[message.pointer.key], message.encoding)
    return unpacked(base64.b64decode(message.payload or ""), message.encoding)


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.request.model",
        "llm.model_name",
        "openinference.span.kind",
        "traceloop.span.kind",
        "ai.operationId",
        "ai.model.id",
        "langfuse.observation.type",
    ],
)
def test_a_span_of_an_llm_call_is_known_in_the_words_of_each_convention(key: str) -> None:
    call = span(2)
    call.attributes.extend(attributes({key: "gpt-4o"}))

    (message,) = told(traces(span(1), call, span(3)))

    assert content(message) == traces(call)
    assert (message.items, message.received_at, message.source.node) == (1, NOW, "gateway-1")


def test_a_span_whose_events_hold_what_was_said_is_one() -> None:
    call = span(2)
    call.events.append(Span.Event(name="gen_ai.user.message"))

    (message,) = told(traces(span(1), call))

    assert span_ids(content(message)) == {(call.trace_id, call.span_id)}


def test_a_batch_without_llm_calls_tells_nothing() -> None:
    mentions = span(1, note="we use gen_ai.request.model nowhere")

    assert told(traces(span(1), mentions)) == []
    assert told(traces(span(1))) == []
    assert told(b"gen_ai.", "metrics") == []


@pytest.mark.parametrize(
    "event",
    [
        LogRecord(event_name="gen_ai.choice"),
        LogRecord(attributes=attributes({"event.name": "gen_ai.choice"})),
    ],
)
def test_what_was_said_in_log_records_comes_too(event: LogRecord) -> None:
    (message,) = told(logs(record("gen_ai. is but a text here"), event), "logs")

    assert (message.signal, message.items) == ("logs", 1)
    assert content(message) == logs(event)


def prompt(number: int, size: int) -> Span:
    text = random.Random(number).randbytes(size).hex()
    return span(number, gen_ai__prompt=text)


def test_what_no_message_holds_is_cut_between_spans() -> None:
    calls = [prompt(number, 150_000) for number in range(1, 8)]

    messages = told(traces(*calls))

    assert len(messages) > 1
    assert len({message.id for message in messages}) == len(messages)
    assert all(len(message.payload or "") <= BODY_MAX for message in messages)
    found = set().union(*(span_ids(content(message)) for message in messages))
    assert found == {(call.trace_id, call.span_id) for call in calls}


def test_one_span_that_no_message_holds_goes_by_the_bucket() -> None:
    call = prompt(1, 900_000)

    (message,) = told(traces(call))

    assert message.pointer is not None
    assert message.pointer.key.startswith("llm-spans/")
    assert content(message) == traces(call)


def test_the_same_batch_tells_under_the_same_ids() -> None:
    payload = traces(prompt(1, 10))

    assert [each.id for each in told(payload)] == [each.id for each in told(payload)]
