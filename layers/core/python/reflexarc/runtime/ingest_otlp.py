"""OTLP in and out of a function URL's events. Loaded when an OTLP client first calls."""

from functools import cache
from typing import Any

from reflexarc.adapters.s3.payload_store import S3PayloadStore
from reflexarc.adapters.sqs.telemetry_queue import SqsBatches
from reflexarc.ingest.model import Request
from reflexarc.ingest.otlp_reply import OtlpReply, failed
from reflexarc.ingest.otlp_service import AGAIN, OtlpService, answered_in
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.ids import new_ulid
from reflexarc.runtime import clients
from reflexarc.runtime.function_url import answered
from reflexarc.runtime.ingest_http import headers_told
from reflexarc.runtime.ingest_wiring import gate, settings
from reflexarc.runtime.observability import count, flush, logger

_OK, _UNSUPPORTED = 200, 415


def answer(request: Request) -> dict[str, Any]:
    """Answer one OTLP request, come what may.

    An unforeseen error is a 503, for OTLP has no client come again after a 500.
    """
    try:
        reply = otlp_service().answer(request)
    except Exception:  # noqa: BLE001 - the outermost edge; logged with its trace, alarmed
        logger().exception("request failed")
        reason = "something unforeseen happened"
        reply = failed(503, reason, answered_in(request), retry_after=AGAIN)
    report(reply)
    return response_of(reply)


def response_of(reply: OtlpReply) -> dict[str, Any]:
    """Return the answer in the form that a function URL sends on."""
    headers = headers_told(reply.status, reply.retry_after)
    if reply.status == _UNSUPPORTED:
        headers["accept-encoding"] = "gzip, zstd"
    return answered(reply.status, reply.body, {"content-type": reply.content_type, **headers})


def report(reply: OtlpReply) -> None:
    """Log what was refused and count what became of the items."""
    if reply.reason:
        logger().warning(
            "telemetry taken in part" if reply.status == _OK else "request refused",
            status=reply.status,
            reason=reply.reason,
            who=reply.who,
            rejected=reply.rejected,
        )
    count("OtlpItems", reply.items)
    if reply.rejected:
        count("OtlpRejected", reply.rejected)
    flush()


@cache
def otlp_service() -> OtlpService:
    """Build what OTLP's paths call."""
    told = settings()
    return OtlpService(
        gate=gate(),
        payloads=S3PayloadStore(clients.s3(), told.telemetry_bucket),
        batches=SqsBatches(clients.sqs(), told.telemetry_queue_url),
        clock=system_clock,
        new_id=new_ulid,
    )
