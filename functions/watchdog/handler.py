"""A tick a minute in; wake-ups, looks at late nodes, steps that are due and canaries out."""

from typing import Any

from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime.observability import count, flush, logger
from reflexarc.runtime.watchdog_wiring import watchdog


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Do every chore once; what fails is tried again a minute later, and fails the tick."""
    swept = watchdog().tick()
    groups = swept.done.get("stale groups", 0)
    if groups:
        count("Swept", groups)
        logger().warning("woke delivery groups that were left waiting", groups=groups)
    flush()
    if swept.failed:
        raise Unavailable("; ".join(f"{name}: {why}" for name, why in swept.failed.items()))
    return {"swept": groups}
