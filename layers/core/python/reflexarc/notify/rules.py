"""Which notices to look at first, what counts as a page's delay, and how long to wait: pure."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import get_args

from pydantic import ValidationError

from reflexarc.events.incident import Incident
from reflexarc.events.notice import Canary, ChannelKind, Notice, WakeUp
from reflexarc.events.problems import problems_of
from reflexarc.events.signal import Hops
from reflexarc.kernel.errors import Rejected
from reflexarc.notify.model import Receipt, Task

# DynamoDB keys hold 2,048 bytes; Slack channel ids and scopes are far shorter.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
GROUP_MAX = 512
VENDORS = tuple(f"{kind}/" for kind in get_args(ChannelKind))


def group_to_look_at(body: str) -> str | None:
    """Return the delivery group that a wake-up names, None for a canary.

    Raises Rejected, in words for an operator, for anything else.
    """
    message = _json_object(body)
    schema = message.get("schema")
    try:
        if schema == "canary/1":
            Canary.model_validate(message)
            return None
        if schema == "wakeup/1":
            return _known(WakeUp.model_validate(message).group)
    except ValidationError as error:
        raise Rejected(
            f"{schema} does not hold what it must: {'; '.join(problems_of(error, 'body')[:3])}"
        ) from error
    raise Rejected(f"a wake-up queue takes wakeup/1 and canary/1, not {str(schema)[:80]!r}")


def plan(
    notices: Iterable[Notice], opening: Collection[str]
) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
    """Return the notices that bring news of trouble, and the rest, each in order.

    `opening` names the rows whose page the channel never saw. They come by severity, then age. The
    pages of one scope are told in the order of their generations, so an older one comes along.
    """
    lines: dict[tuple[str, str], list[Notice]] = {}
    for notice in sorted(notices, key=lambda notice: notice.row):
        lines.setdefault((notice.page.scope, notice.channel.name), []).append(notice)
    urgent = {
        key: min(_urgency(notice) for notice in line if notice.row in opening)
        for key, line in lines.items()
        if any(notice.row in opening for notice in line)
    }
    others = sorted(
        (key for key in lines if key not in urgent), key=lambda key: _age(lines[key][0])
    )
    return (
        tuple(notice for key in sorted(urgent, key=urgent.__getitem__) for notice in lines[key]),
        tuple(notice for key in others for notice in lines[key]),
    )


def creates(task: Task, receipt: Receipt | None) -> bool:
    """Return whether a task makes a message that the channel is not known to have."""
    if receipt is None:
        return True
    return task.part != "root" and task.part not in receipt.parts


def latency_ms(hops: Hops, at: datetime) -> int:
    """Return the milliseconds from the kernel line until a moment; a wrong clock never shows."""
    return max(0, round((at - hops.observed_at) / timedelta(milliseconds=1)))


def page_latency_ms(
    notice: Notice, receipt: Receipt | None, lead: Incident, at: datetime
) -> int | None:
    """Return how long a page took that was told at a moment, None where it tells nothing new.

    A reminder is about a finding that people know. What waited on purpose (for hours to begin, for
    a silence to end, for somebody to acknowledge) is not late: its notice was written when it was
    due.
    """
    known = receipt.severity if receipt else None
    if known is not None and lead.severity.rank <= known.rank:
        return None
    waited, decided_at = timedelta(0), lead.hops.decided_at
    if notice.fresh and decided_at is not None:
        waited = max(waited, notice.created_at - decided_at)
    return latency_ms(lead.hops, at - waited)


def backoff(first: timedelta, failures: int, longest: timedelta) -> timedelta:
    """Return the wait after this many earlier failures in a row: doubling, bounded."""
    doublings = min(failures, 16)  # beyond any bound; keeps the number small
    return min(first * (1 << doublings), longest)


def patience(retry_after: timedelta, longest: timedelta) -> timedelta:
    """Return how long to leave a vendor alone that asked for it: 1 s at least, bounded."""
    return min(max(retry_after, timedelta(seconds=1)), longest)


def _urgency(notice: Notice) -> tuple[int, datetime, str]:
    return -notice.severity.rank, notice.created_at, notice.row


def _age(notice: Notice) -> tuple[datetime, str]:
    return notice.created_at, notice.row


def _json_object(body: str) -> dict[str, object]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the body is not JSON: {str(error)[:200]}") from error
    if not isinstance(message, dict):
        raise Rejected(f"the body is a JSON {type(message).__name__}, not an object")
    return message


def _known(group: str) -> str:
    if not group.startswith(VENDORS) or len(group) > GROUP_MAX:
        raise Rejected(f"no vendor serves the delivery group {group[:80]!r}")
    return group
