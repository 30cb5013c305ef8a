"""What one would write without an engine: the plain schema, a dict an item, rules in a loop.

The rules are those of `otlp_rules.py`, written by hand as short as Python allows: a general rule
language on top would only make the peer slower.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Attributes = Mapping[str, Any]
Rule = Callable[[Any, Attributes, Attributes], bool]

_PROBES = re.compile(r"^/(healthz|readyz|metrics)$")
_ERROR, _SERVER = 2, 2
_QUARTER = (1 << 56) * 3 // 4


def _duration(span: Any) -> int:
    duration: int = span.end_time_unix_nano - span.start_time_unix_nano
    return duration


def _of_tenant(tenant: str) -> Rule:
    return lambda _, attributes, __: attributes.get("tenant") == tenant


TEN_RULES: tuple[Rule, ...] = (
    lambda _, a, __: _PROBES.match(a.get("url.path", "")) is not None,
    lambda _, a, __: a.get("user_agent.original", "").startswith("kube-probe"),
    lambda _, a, r: (
        r.get("deployment.environment.name") == "staging"
        and a.get("gen_ai.operation.name") == "embeddings"
    ),
    lambda s, _, __: s.name == "execute_tool mistral-large-2411",
    lambda s, a, _: a.get("tenant") == "umbrella" and _duration(s) < 50_000_000,
    lambda s, _, r: (
        r.get("service.name") == "embedder" and s.kind == _SERVER and _duration(s) < 200_000_000
    ),
    lambda _, a, __: a.get("gen_ai.usage.output_tokens", 10**9) < 3,
    lambda s, a, r: (
        r.get("service.namespace") == "ml"
        and _duration(s) < 300_000_000
        and a.get("gen_ai.operation.name") == "chat"
        and int.from_bytes(s.trace_id[9:16], "big") < _QUARTER
    ),
)
FIVE_PERCENT: tuple[Rule, ...] = (
    TEN_RULES[3],
    TEN_RULES[4],
    lambda _, a, __: a.get("tenant") == "nosuchtenant",
)
NO_MATCH: tuple[Rule, ...] = tuple(_of_tenant(f"nosuch{number}") for number in range(8))
NEGATIONS: tuple[Rule, ...] = (
    *TEN_RULES,
    lambda _, a, __: a.get("tenant") != "acme" and not str(a.get("user.id", "")).startswith("user"),
)
EVERYTHING: tuple[Rule, ...] = (lambda _, a, __: a.get("server.port") != "zz",)


def _value(any_value: Any) -> Any:
    kind = any_value.WhichOneof("value")
    return getattr(any_value, kind) if kind else None


def _guarded(span: Any, attributes: Attributes) -> bool:
    status = attributes.get("http.response.status_code", 0)
    return bool(span.status.code == _ERROR or status >= 500)


def spans_kept(payload: bytes, rules: tuple[Rule, ...]) -> tuple[bytes, int]:
    """Return the request without the spans that rules drop, and how many are kept."""
    request, kept = ExportTraceServiceRequest.FromString(payload), 0
    for resource in request.resource_spans:
        about = {each.key: _value(each.value) for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            keep = []
            for span in scope.spans:
                attributes = {each.key: _value(each.value) for each in span.attributes}
                if _guarded(span, attributes) or not any(
                    rule(span, attributes, about) for rule in rules
                ):
                    keep.append(span)
            kept += len(keep)
            if len(keep) != len(scope.spans):
                fresh = type(scope)()
                fresh.spans.extend(keep)
                del scope.spans[:]
                scope.spans.MergeFrom(fresh.spans)
    return request.SerializeToString(), kept


def metrics_kept(payload: bytes, names: frozenset[str]) -> bytes:
    """Return the request without the metrics of these names."""
    request = ExportMetricsServiceRequest.FromString(payload)
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            gone = [at for at, metric in enumerate(scope.metrics) if metric.name in names]
            for at in reversed(gone):
                del scope.metrics[at]
    return request.SerializeToString()


def logs_kept(payload: bytes) -> bytes:
    """Return the request without debug records whose body begins with `cache miss key`."""
    request = ExportLogsServiceRequest.FromString(payload)
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            gone = []
            for at, record in enumerate(scope.log_records):
                attributes = {each.key: _value(each.value) for each in record.attributes}
                guarded = (
                    record.severity_number >= 17
                    or attributes.get("http.response.status_code", 0) >= 500
                )
                if (
                    not guarded
                    and record.severity_number == 5
                    and record.body.string_value.startswith("cache miss key")
                ):
                    gone.append(at)
            for at in reversed(gone):
                del scope.log_records[at]
    return request.SerializeToString()
