"""Signals from every other producer in, incidents and wake-ups out."""

from typing import Any

from reflexarc.runtime.incident_wiring import signal_intake
from reflexarc.runtime.observability import report
from reflexarc.runtime.sqs_batch import batch_response, deliveries, never_raises, retries_of


@never_raises
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Record one batch of the signals queue."""
    outcomes = signal_intake().react(deliveries(event))
    report(outcomes, done="Signals", rejected="SignalsRejected")
    return batch_response(retries_of(outcomes))
