"""Logs and metrics of the functions: Powertools' structured logger and CloudWatch EMF metrics."""

from collections.abc import Iterable
from functools import cache

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from reflexarc.events.delivery import CANARY, Outcome

NAMESPACE = "reflexarc"


@cache
def logger() -> Logger:
    """Return the function's logger; its service name comes from POWERTOOLS_SERVICE_NAME."""
    return Logger()


@cache
def metrics() -> Metrics:
    """Return the function's metrics, flushed once an invocation."""
    return Metrics(namespace=NAMESPACE)


def count(name: str, number: float = 1) -> None:
    """Add to a counter of this invocation."""
    metrics().add_metric(name=name, unit=MetricUnit.Count, value=number)


def milliseconds(name: str, value: float) -> None:
    """Record a duration of this invocation."""
    metrics().add_metric(name=name, unit=MetricUnit.Milliseconds, value=value)


def flush() -> None:
    """Write this invocation's metrics to the log, where CloudWatch reads them."""
    if metrics().metric_set:
        metrics().flush_metrics()


def report(outcomes: Iterable[Outcome], *, done: str, rejected: str) -> None:
    """Log what was refused and count what was done, refused and put back."""
    tally = {"done": 0, "rejected": 0, "retry": 0}
    for outcome in outcomes:
        # A metric that canaries alone write would be billed all month and say nothing.
        tally[outcome.status] += outcome.reason != CANARY
        if outcome.status != "done":
            logger().warning(
                f"message {outcome.status}", message_id=outcome.message_id, reason=outcome.reason
            )
    for name, number in ((done, "done"), (rejected, "rejected"), ("Retried", "retry")):
        # A metric is billed once it was written; alarms take what is missing for zero.
        if tally[number]:
            count(name, tally[number])
    flush()
