"""A span or log record that a sampling rule keeps says so; one that it does not keep goes. Pure.

Spans say it in their tracestate. Log records have none: the attributes `sampling.threshold` and
`sampling.randomness` say it, as in the Collector's probabilistic sampler. What belongs to no trace
says the randomness that was drawn for it, so that whoever samples it next has the same.
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/probabilisticsamplerprocessor
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from reflexarc.engines.otlp.shadow import ATTRIBUTES
from reflexarc.engines.otlp.wire import field_of, occurrences, without
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.sampling import (
    TraceState,
    is_trace,
    randomness_from,
    randomness_of,
    read_trace_state,
    threshold_from,
    written,
)

# Stands for the item as it came.
KEPT = b""
_TRACE_STATE = 3
_THRESHOLD, _RANDOMNESS = "sampling.threshold", "sampling.randomness"
_EITHER = b"sampling."
# What is no text in a tracestate stays the bytes that it was.
_UTF8 = "utf-8", "surrogateescape"


def sampled(signal: OtlpSignal, item: bytes, fields: Any, threshold: int) -> bytes | None:
    """Return the item with its threshold, KEPT where it has a higher one, None where it goes.

    What it says of sampling must be read to be kept to: an item that cannot be read stays.
    """
    said: Mapping[int, KeyValue] = {}
    if signal != "logs":
        state = read_trace_state(fields.trace_state.decode(*_UTF8))
    else:
        try:
            said = _said(item) if _EITHER in item else {}
        except DecodeError:
            return KEPT
        state = _state(said.values())
    if state.threshold is not None and state.threshold >= threshold:
        return KEPT
    randomness = randomness_of(fields.trace_id, state, item)
    if randomness < threshold:
        return None
    if signal == "logs":
        return _log_record(item, said, threshold, randomness)
    if not is_trace(fields.trace_id):
        state = replace(state, randomness=randomness)
    text = b"".join(field_of(_TRACE_STATE, state.with_threshold(threshold).encode(*_UTF8)))
    # Where there is no tracestate, and there mostly is none, it is enough to add one.
    return without(item, _TRACE_STATE, None) + text if fields.trace_state else item + text


def _log_record(item: bytes, said: Mapping[int, Any], threshold: int, randomness: int) -> bytes:
    added = [
        KeyValue(key=_THRESHOLD, value=AnyValue(string_value=written(threshold))),
        KeyValue(key=_RANDOMNESS, value=AnyValue(string_value=f"{randomness:014x}")),
    ]
    return without(item, ATTRIBUTES["logs"], said, [each.SerializeToString() for each in added])


def _said(item: bytes) -> Mapping[int, KeyValue]:
    """Return the attributes that are about sampling, by their number."""
    pairs = map(KeyValue.FromString, occurrences(item, ATTRIBUTES["logs"]))
    return {
        number: pair for number, pair in enumerate(pairs) if pair.key in {_THRESHOLD, _RANDOMNESS}
    }


def _state(said: Iterable[KeyValue]) -> TraceState:
    """Return what attributes say; of equal keys the first counts, as in the Collector."""
    texts: dict[str, str] = {}
    for pair in said:
        texts.setdefault(pair.key, pair.value.string_value)
    return TraceState(
        threshold_from(texts.get(_THRESHOLD, "")), randomness_from(texts.get(_RANDOMNESS, ""))
    )
