"""A span or log record that a sampling rule keeps says so; one that it does not keep goes. Pure.

Spans say it in their tracestate. Log records have none: the attributes `sampling.threshold` and
`sampling.randomness` say it, as in the Collector's probabilistic sampler.
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/probabilisticsamplerprocessor
"""

from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from reflexarc.engines.otlp.shadow import ATTRIBUTES
from reflexarc.engines.otlp.wire import field_of, without
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.clauses import Find
from reflexarc.telemetry.sampling import (
    TraceState,
    randomness_of,
    read_trace_state,
    threshold_from,
    written,
)

# Stands for the item as it came.
KEPT = b""
_TRACE_STATE = 3
_THRESHOLD, _RANDOMNESS = "sampling.threshold", "sampling.randomness"


def sampled(
    signal: OtlpSignal, item: bytes, fields: Any, find: Find, threshold: int
) -> bytes | None:
    """Return the item with its threshold, KEPT where it has a higher one, None where it goes."""
    state = _said(find) if signal == "logs" else read_trace_state(fields.trace_state.decode())
    if state.threshold is not None and state.threshold >= threshold:
        return KEPT
    randomness = randomness_of(fields.trace_id, state, item)
    if randomness < threshold:
        return None
    if signal == "logs":
        return _with_attributes(item, threshold, randomness)
    text = b"".join(field_of(_TRACE_STATE, state.with_threshold(threshold).encode()))
    # Where there is no tracestate, and there mostly is none, it is enough to add one.
    return without(item, _TRACE_STATE, None) + text if fields.trace_state else item + text


def _said(find: Find) -> TraceState:
    raw = find(_THRESHOLD)
    return TraceState(threshold_from(AnyValue.FromString(raw).string_value) if raw else None)


def _with_attributes(item: bytes, threshold: int, randomness: int) -> bytes:
    added = [
        KeyValue(key=_THRESHOLD, value=AnyValue(string_value=written(threshold))),
        KeyValue(key=_RANDOMNESS, value=AnyValue(string_value=f"{randomness:014x}")),
    ]
    return without(item, ATTRIBUTES["logs"], (), [each.SerializeToString() for each in added])
