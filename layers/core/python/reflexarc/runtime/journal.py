"""Fills notify.ports.Journal with log events and metrics."""

from reflexarc.events.page import Page
from reflexarc.notify.model import Attempt
from reflexarc.runtime.observability import count, logger, milliseconds


class CloudWatchJournal:
    """One log event and one metric for each thing that happens to a page's messages."""

    def delivered(self, page: Page, attempt: Attempt) -> None:
        """Log who was told what, and how long the fault took to reach them."""
        hops = attempt.hops
        logger().info(
            "notice delivered",
            page=page.key,
            channel=attempt.channel,
            action=attempt.action,
            part=attempt.part,
            latency_ms=attempt.latency_ms,
            hops=hops.model_dump(mode="json", exclude_none=True) if hops else None,
        )
        count("Delivered")
        if attempt.latency_ms is not None:
            milliseconds("PageLatency", attempt.latency_ms)

    def failing(self, group: str, reason: str, failures: int) -> None:
        """Log what keeps a group waiting; a rate limit (no failure yet) is not alarmed."""
        logger().warning("delivery waits", group=group, reason=reason, failures=failures)
        if failures:
            count("DeliveryFailing")

    def refused(self, page: Page, channel: str, reason: str, *, lost: bool) -> None:
        """Log what a vendor would not take."""
        logger().error("notice refused", page=page.key, channel=channel, reason=reason, lost=lost)
        count("NoticesRefused")
