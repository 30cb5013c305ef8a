"""Messages of edge agents in by HTTPS, the same messages on their queues out."""

from typing import Any

from reflexarc.runtime.function_url import always_answers
from reflexarc.runtime.ingest_http import report, request_of, response_of
from reflexarc.runtime.ingest_wiring import ingest_service


@always_answers
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Answer one POST /v1/gpu."""
    reply = ingest_service().answer(request_of(event))
    report(reply)
    return response_of(reply)
