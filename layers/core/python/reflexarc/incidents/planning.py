"""When a page's next step is brought back: soon by a delayed message, later by the watchdog."""

from contextlib import suppress
from datetime import datetime, timedelta

from reflexarc.events.action import Timer
from reflexarc.events.page import Page
from reflexarc.incidents.ports import Timers
from reflexarc.kernel.errors import Unavailable

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
SOON = timedelta(minutes=15)


def plan_steps(timers: Timers, page: Page, now: datetime) -> None:
    """Plan the page's next step if it comes soon. Losing the message costs a sweep's delay."""
    due_at = page.due_at
    if due_at is not None and due_at - now <= SOON:
        with suppress(Unavailable):
            timers.plan(Timer(page=page.ref, timer=page.timer, due_at=due_at), now)
