"""The rules of `otlp_rules.TEN` as a processor that Rotel calls for every batch, by its own SDK.

Written as one would for speed: one pass over the attributes of a span, plain comparisons.
"""

import re
from typing import Any

_PROBES = re.compile(r"^/(healthz|readyz|metrics)$").match
_QUARTER = (1 << 56) * 3 // 4
_WANTED = frozenset(
    {
        "http.response.status_code",
        "url.path",
        "user_agent.original",
        "gen_ai.operation.name",
        "tenant",
        "gen_ai.usage.output_tokens",
    }
)
_ERROR, _SERVER = 2, 2


def _attributes(found: Any) -> dict[str, Any]:
    return {each.key: each.value.value for each in found if each.key in _WANTED}


def _dropped(span: Any, about: dict[str, Any]) -> bool:
    of = _attributes(span.attributes)
    if (span.status is not None and span.status.code == _ERROR) or of.get(
        "http.response.status_code", 0
    ) >= 500:
        return False
    duration = span.end_time_unix_nano - span.start_time_unix_nano
    operation = of.get("gen_ai.operation.name")
    return bool(
        _PROBES(of.get("url.path", ""))
        or of.get("user_agent.original", "").startswith("kube-probe")
        or (about.get("deployment.environment.name") == "staging" and operation == "embeddings")
        or span.name == "execute_tool mistral-large-2411"
        or (of.get("tenant") == "umbrella" and duration < 50_000_000)
        or (
            about.get("service.name") == "embedder"
            and span.kind == _SERVER
            and duration < 200_000_000
        )
        or of.get("gen_ai.usage.output_tokens", 10**9) < 3
        or (
            operation == "chat"
            and about.get("service.namespace") == "ml"
            and duration < 300_000_000
            and int.from_bytes(bytes(span.trace_id)[9:16], "big") < _QUARTER
        )
    )


def process_spans(resource_spans: Any) -> None:
    """Drop spans in place; Rotel's name for it."""
    resource = resource_spans.resource
    about = {each.key: each.value.value for each in resource.attributes} if resource else {}
    for scope in resource_spans.scope_spans:
        scope.spans = [span for span in scope.spans if not _dropped(span, about)]
