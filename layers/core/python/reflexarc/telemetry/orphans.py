"""Spans that lose their parents: those that rules keep of traces of which they take a part. Pure.

A trace may come in many batches, so what is known is put together at the end. Of a span 16 bytes
are remembered.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

# Spreads ids that are counted up, as some SDKs make them, over all 64 bits (Fibonacci hashing).
_SPREAD, _MASK = 0x9E3779B97F4A7C15, 2**64 - 1


def key_of(trace_id: bytes, span_id: bytes) -> int:
    """Return 64 bits that tell a span from all others, as far as 64 bits can."""
    trace, span = int.from_bytes(trace_id[-8:]), int.from_bytes(span_id[-8:])
    return (trace * _SPREAD + span) & _MASK


@dataclass(slots=True)
class Families:
    """Parents of the spans that stay, and the spans that went, with the rule that took each."""

    parents: "array[int]" = field(default_factory=lambda: array("Q"))
    gone: "array[int]" = field(default_factory=lambda: array("Q"))
    takers: "array[int]" = field(default_factory=lambda: array("L"))

    def add(self, payload: bytes, taken: Mapping[int, Sequence[int]]) -> None:
        """Take note of a batch; `taken`: the spans that each rule took, by their numbers."""
        taker = {item: rule for rule, items in taken.items() for item in items}
        number = 0
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    rule = taker.get(number)
                    if rule is not None:
                        self.gone.append(key_of(span.trace_id, span.span_id))
                        self.takers.append(rule)
                    elif span.parent_span_id:
                        self.parents.append(key_of(span.trace_id, span.parent_span_id))
                    number += 1

    def orphans(self) -> Mapping[int, int]:
        """Return how many spans that stay lost their parent, by the rule that took it."""
        if not self.gone or not self.parents:
            return {}
        gone, takers = np.array(self.gone, np.uint64), np.array(self.takers)
        order = np.argsort(gone, kind="stable")
        gone, takers = gone[order], takers[order]
        parents = np.array(self.parents, np.uint64)
        at = np.minimum(np.searchsorted(gone, parents), len(gone) - 1)
        rules, counts = np.unique(takers[at[gone[at] == parents]], return_counts=True)
        return dict(zip(rules.tolist(), counts.tolist(), strict=True))
