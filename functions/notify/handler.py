"""Wake-ups in, messages to Slack and PagerDuty out."""

from typing import Any

from reflexarc.runtime.notify_wiring import delivery_service
from reflexarc.runtime.observability import report
from reflexarc.runtime.sqs_batch import batch_response, deliveries, never_raises, retries_of


@never_raises
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Look at every delivery group that this batch of wake-ups names."""
    outcomes = delivery_service().handle(deliveries(event))
    report(outcomes, done="WakeUps", rejected="WakeUpsRejected")
    return batch_response(retries_of(outcomes))
