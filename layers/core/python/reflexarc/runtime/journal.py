"""Fills notify.ports.Journal with log events and metrics."""

from reflexarc.events.notice import Notice
from reflexarc.events.signal import Hops
from reflexarc.runtime.observability import count, logger, milliseconds


class CloudWatchJournal:
    """One log event and one metric for each thing that happens to a notice."""

    def delivered(self, notice: Notice, hops: Hops, latency_ms: int | None) -> None:
        """Log who was told what, and how long the fault took to reach them."""
        logger().info(
            "notice delivered",
            incident=notice.incident.key,
            action=notice.action,
            channel=notice.channel.name,
            latency_ms=latency_ms,
            hops=hops.model_dump(mode="json", exclude_none=True),
        )
        count("Delivered")
        if latency_ms is not None:
            milliseconds("PageLatency", latency_ms)

    def failing(self, group: str, reason: str, failures: int) -> None:
        """Log what keeps a group waiting; a rate limit (no failure yet) is not alarmed."""
        logger().warning("delivery waits", group=group, reason=reason, failures=failures)
        if failures:
            count("DeliveryFailing")

    def refused(self, notice: Notice, reason: str, *, lost: bool) -> None:
        """Log what a vendor would not take."""
        logger().error(
            "notice refused",
            incident=notice.incident.key,
            channel=notice.channel.name,
            reason=reason,
            lost=lost,
        )
        count("NoticesRefused")
