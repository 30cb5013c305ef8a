"""Heartbeats with readings in, the fleet's last state, its idle hours and hot racks out."""

from typing import Any

from reflexarc.runtime.observability import report
from reflexarc.runtime.sqs_batch import batch_response, deliveries, never_raises, retries_of
from reflexarc.runtime.wiring import believed, reading_service


@never_raises
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Keep one batch of the gpu-readings queue."""
    outcomes = reading_service().react(deliveries(event, *believed()))
    report(outcomes, done="ReadingMessages", rejected="ReadingsRejected")
    return batch_response(retries_of(outcomes))
