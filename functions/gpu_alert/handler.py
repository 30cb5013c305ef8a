"""Fault batches from edge agents in, incidents and wake-ups out."""

from typing import Any

from reflexarc.runtime.observability import report
from reflexarc.runtime.sqs_batch import batch_response, deliveries, never_raises, retries_of
from reflexarc.runtime.wiring import believed, fault_service


@never_raises
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """React to one batch of the gpu-faults queue."""
    outcomes = fault_service().react(deliveries(event, *believed()))
    report(outcomes, done="FaultMessages", rejected="FaultsRejected")
    return batch_response(retries_of(outcomes))
