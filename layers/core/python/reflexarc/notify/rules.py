"""What to send next, what needs no sending, and how long to wait: pure decisions."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from reflexarc.events.notice import Canary, Notice, WakeUp
from reflexarc.events.problems import problems_of
from reflexarc.events.severity import Severity
from reflexarc.kernel.errors import Rejected
from reflexarc.notify.model import Pending, Receipt

# DynamoDB keys hold 2,048 bytes; Slack channel ids and fingerprints are far shorter.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
GROUP_MAX = 512
VENDORS = ("slack/", "pagerduty/")


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


def plan(notices: Iterable[Notice]) -> tuple[Pending, ...]:
    """Return what to send, in order: new trouble by severity first, then everything else.

    Notices of one incident generation and channel become one message of the latest state. PagerDuty
    is told of the trouble before it is told of its end, so that its history holds both.
    """
    threads: dict[tuple[str, int, str], list[Notice]] = {}
    for notice in sorted(notices, key=lambda notice: notice.row):
        incident = notice.incident
        thread = incident.fingerprint, incident.generation, notice.channel.name
        threads.setdefault(thread, []).append(notice)
    units = [unit for thread in threads.values() for unit in _units(thread)]
    return tuple(sorted(units, key=_urgency))


def told(notice: Notice, receipt: Receipt | None, now: datetime) -> tuple[Severity, int | None]:
    """Return the gravest severity that people know once this is sent, and that page's latency.

    A later update keeps the latency of the page that told of the trouble.
    """
    severity = notice.incident.severity
    if receipt is None or raises(notice, receipt):
        return severity, latency_ms(notice, now)
    return receipt.severity or severity, receipt.latency_ms


def raises(notice: Notice, receipt: Receipt) -> bool:
    """Return whether the notice tells of more than the receipt's message did."""
    return receipt.severity is not None and notice.incident.severity.rank > receipt.severity.rank


def latency_ms(notice: Notice, now: datetime) -> int:
    """Return the milliseconds from the kernel line until now; a clock that is off never shows."""
    since = now - notice.incident.hops.observed_at
    return max(0, round(since / timedelta(milliseconds=1)))


def needless(notice: Notice, receipt: Receipt | None) -> bool:
    """Return whether people gain nothing: a message that cannot be edited, an update no graver.

    PagerDuty cannot change details in place, and a webhook could only repeat itself. A further
    trigger after a person resolved the page would open a second one.
    """
    if receipt is None or notice.action == "resolve" or receipt.via == "slack":
        return False
    return not raises(notice, receipt)


def backoff(first: timedelta, failures: int, longest: timedelta) -> timedelta:
    """Return the wait after this many earlier failures in a row: doubling, bounded."""
    doublings = min(failures, 16)  # beyond any bound; keeps the number small
    return min(first * (1 << doublings), longest)


def patience(retry_after: timedelta, longest: timedelta) -> timedelta:
    """Return how long to leave a vendor alone that asked for it: 1 s at least, bounded."""
    return min(max(retry_after, timedelta(seconds=1)), longest)


def _units(thread: Sequence[Notice]) -> Iterable[Pending]:
    if thread[0].channel.kind == "slack":
        return (Pending(notices=tuple(thread)),)
    ends = tuple(notice for notice in thread if notice.action == "resolve")
    others = tuple(notice for notice in thread if notice.action != "resolve")
    return tuple(Pending(notices=notices) for notices in (others, ends) if notices)


def _urgency(unit: Pending) -> tuple[int, int, datetime, str]:
    latest = unit.latest
    # The end of an incident comes after the rest: PagerDuty would open a resolved key again.
    turn = 0 if unit.pages else 2 if latest.action == "resolve" else 1
    return turn, -latest.incident.severity.rank, unit.notices[0].created_at, latest.row


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
