"""Messages of edge agents and OTLP in by HTTPS, on their queues out."""

from typing import Any

from reflexarc.runtime.function_url import always_answers
from reflexarc.runtime.ingest_http import answer


@always_answers
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Answer one POST: /v1/gpu, or one of OTLP's paths."""
    return answer(event)
