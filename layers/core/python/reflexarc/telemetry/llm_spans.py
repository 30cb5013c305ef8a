"""Finds spans of LLM calls in a batch, in the words of every convention, and cuts them out. Pure.

OpenTelemetry GenAI (gen_ai.*), OpenInference (llm.*, openinference.*), OpenLLMetry (traceloop.*,
llm.*), Vercel AI SDK (ai.*), Langfuse (langfuse.*). Who reads them decides what each of them is.
"""

import base64
import re
from collections.abc import Iterator
from datetime import datetime

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.otlp.framing import framed
from reflexarc.events.llm_spans import LlmSpans
from reflexarc.telemetry.packing import packed
from reflexarc.telemetry.parts import Part, chosen, halves
from reflexarc.telemetry.told import BODY_MAX, Batch, Store, Told, header

_PREFIXES = ("gen_ai.", "llm.", "openinference.", "traceloop.", "ai.", "langfuse.")
_MARKS = re.compile(rb"gen_ai\.|llm\.|openinference\.|traceloop\.|langfuse\.|ai\.(?:model|op)")
_EVENT = "gen_ai."


def llm_spans(batch: Batch, store: Store, now: datetime) -> Iterator[Told]:
    """Yield messages with the LLM spans of a batch; `store` takes what no message holds."""
    if batch.signal == "metrics" or not _MARKS.search(batch.payload):
        return
    request = framed(batch.payload)
    is_one = _is_llm_span if batch.signal == "traces" else _is_llm_record
    numbers = [
        number
        for number in range(len(request.starts))
        if _MARKS.search(request.data, request.starts[number], request.ends[number])
        and is_one(request.item(number))
    ]
    if numbers:
        part = chosen(batch.signal, request, numbers)
        yield from _told(batch, part, "0", store, now)


def _told(batch: Batch, part: Part, name: str, store: Store, now: datetime) -> Iterator[Told]:
    body = packed(part.payload, "zstd")
    large = len(body) * 4 // 3 > BODY_MAX
    if large and (two := halves(batch.signal, part)):
        for number, half in enumerate(two):
            yield from _told(batch, half, f"{name}.{number}", store, now)
        return
    begun = header(batch, f"llm_spans\x1f{name}", batch.source, now)
    pointer = store(f"llm-spans/{begun['id']}.pb.zst", body) if large else None
    message = LlmSpans.model_validate(
        {
            **begun,
            "received_at": batch.received_at,
            "signal": batch.signal,
            "items": part.items,
            "payload": None if pointer else base64.b64encode(body).decode(),
            "pointer": pointer,
        }
    )
    yield Told(to="llm-spans", message=message, items=part.items)


def _is_llm_span(data: bytes) -> bool:
    span = Span.FromString(data)
    return any(each.key.startswith(_PREFIXES) for each in span.attributes) or any(
        event.name.startswith(_EVENT) for event in span.events
    )


def _is_llm_record(data: bytes) -> bool:
    """Return whether a log record is one of the GenAI conventions' events."""
    record = LogRecord.FromString(data)
    return record.event_name.startswith(_EVENT) or any(
        each.key == "event.name" and each.value.string_value.startswith(_EVENT)
        for each in record.attributes
    )
