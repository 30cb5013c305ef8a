"""A tick a minute in; wake-ups for what was left waiting, and canaries for warmth, out."""

from typing import Any

from reflexarc.runtime.observability import count, flush, logger
from reflexarc.runtime.wiring import sweep_service


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Sweep once; what fails is tried again a minute later."""
    groups = sweep_service().sweep()
    if groups:
        count("Swept", groups)
        flush()
        logger().warning("woke delivery groups that were left waiting", groups=groups)
    return {"swept": groups}
