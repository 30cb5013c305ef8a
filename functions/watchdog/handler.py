"""A tick a minute in; wake-ups for what was left waiting, and canaries for warmth, out."""

from typing import Any

from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime.observability import count, flush, logger
from reflexarc.runtime.wiring import sweep_service


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Do every chore once; what fails is tried again a minute later, and fails the tick."""
    swept = sweep_service().sweep()
    groups = swept.done.get("stale groups", 0)
    if groups:
        count("Swept", groups)
        flush()
        logger().warning("woke delivery groups that were left waiting", groups=groups)
    if swept.failed:
        raise Unavailable("; ".join(f"{name}: {why}" for name, why in swept.failed.items()))
    return {"swept": groups}
