"""Delivery attempts as the lines of a page's log hold them."""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reflexarc.adapters.dynamodb import rows
from reflexarc.events.incident import PageRef
from reflexarc.events.signal import Hops
from reflexarc.kernel.errors import Unreadable
from reflexarc.notify.model import Attempt

DETAIL_MAX = 1_000  # a vendor's answer may be a page of HTML


def attempt_row(ref: PageRef, attempt: Attempt) -> rows.Key:
    """Return an attempt as a new line of a page's log."""
    return rows.log_key(ref, attempt.at, secrets.token_hex(4)) | {
        "doc": rows.text(attempt_document(attempt)),
        "kind": rows.text("attempt"),
        "ttl": rows.ttl(attempt.at, rows.ATTEMPT_KEPT),
    }


def attempt_document(attempt: Attempt) -> str:
    """Return an attempt as JSON."""
    return json.dumps(
        {
            "channel": attempt.channel,
            "action": attempt.action,
            "outcome": attempt.outcome,
            "detail": attempt.detail[:DETAIL_MAX],
            "at": attempt.at.isoformat(),
            "latency_ms": attempt.latency_ms,
            "part": attempt.part,
            "hops": attempt.hops.model_dump(mode="json") if attempt.hops else None,
        }
    )


def attempt_of(row: Mapping[str, Any]) -> Attempt:
    """Return the attempt of a line; raises Unreadable where it cannot be read."""
    try:
        values = json.loads(row["doc"]["S"])
        hops = values.pop("hops")
        at = datetime.fromisoformat(values.pop("at"))
        return Attempt(**values, at=at, hops=Hops.model_validate(hops) if hops else None)
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"row {row.get('pk')} {row.get('sk')} is unreadable: {error}") from error
