"""OTLP batches in; what the rules keep goes on to backends, what others need goes to them."""

from typing import Any

from reflexarc.runtime.sqs_batch import batch_response, deliveries, never_raises, retries_of
from reflexarc.runtime.telemetry_wiring import react, relay, report_batch


@never_raises
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Take one batch of the telemetry or the telemetry-forward queue."""
    outcomes = react(deliveries(event, relay()))
    report_batch(outcomes)
    return batch_response(retries_of(outcomes))
