"""Incidents and notices to test delivery with: each builder takes only what its test is about."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from reflexarc.events.delivery import Delivery
from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Cause, Incident
from reflexarc.events.notice import Action, Channel, Notice
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops
from reflexarc.notify.model import Receipt

NOW = datetime(2026, 3, 3, 4, 44, 24, tzinfo=UTC)
SLACK = Channel(name="slack", kind="slack", destination="C0PAGES")
PAGERDUTY = Channel(name="pagerduty", kind="pagerduty")


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def incident(gpu: int = 1, **fields: Any) -> Incident:
    """Return an open incident about one GPU of node-7."""
    entity = Entity(kind="gpu", node="node-7", device=f"0000:{gpu:02x}:00")
    values: dict[str, Any] = {
        "fingerprint": entity.fingerprint,
        "generation": 1,
        "version": 1,
        "state": "open",
        "severity": Severity.CRITICAL,
        "entity": entity,
        "cause": "xid/79",
        "title": "XID 79: GPU has fallen off the bus",
        "action": "Drain the node.",
        "count": 1,
        "first_at": NOW,
        "last_at": NOW,
        "opened_at": NOW,
        "hops": Hops(observed_at=NOW),
    }
    return Incident(**(values | fields))


def notice(
    action: Action = "trigger", /, channel: Channel = SLACK, gpu: int = 1, **fields: Any
) -> Notice:
    """Return a notice; a resolve is about a resolved incident."""
    if action == "resolve":
        fields = {"state": "resolved", "resolved_at": at(60)} | fields
    return Notice(action=action, channel=channel, incident=incident(gpu, **fields), created_at=NOW)


def story(*actions: Action, channel: Channel = SLACK, gpu: int = 1) -> tuple[Notice, ...]:
    """Return the notices of one generation, one version after the other."""
    versions = itertools.count(1)
    return tuple(
        notice(action, channel, gpu, version=version, count=version)
        for action, version in zip(actions, versions, strict=False)
    )


def receipt(**fields: Any) -> Receipt:
    """Return what Slack gave us for a critical page."""
    values: dict[str, Any] = {
        "vendor_id": "1772513064.000001",
        "destination": SLACK.destination,
        "via": "slack",
        "posted_at": at(0.1),
        "severity": Severity.CRITICAL,
        "latency_ms": 84,
    }
    return Receipt(**(values | fields))


def wake_up(group: str, message_id: str = "m1") -> Delivery:
    """Return a wake-up as a queue hands it over."""
    body = json.dumps({"schema": "wakeup/1", "group": group})
    return Delivery(message_id=message_id, body=body, sender="", queued_at=NOW)


_FRAGMENTS = [
    "<!channel>", "<@U012AB3CD>", "<!subteam^S1>", "<https://evil.example|ok>", "```", "`", "&amp;",
    "\u202e", "\u200b", "\x00", "\x1b[31m", "\r\n", "\n\n", "🔥", '"', "\\",
    "\U0001f9d1\u200d\U0001f4bb", "é", "節点", "*_~", ":fire:", " ",
]  # fmt: skip
_piece = st.one_of(st.sampled_from(_FRAGMENTS), st.text(max_size=8))
hostile = st.one_of(
    st.just(""),
    st.lists(_piece, max_size=8).map("".join),
    st.tuples(_piece, st.integers(1, 10_000)).map(lambda t: (t[0] * t[1])[:10_000]),
)
_moment = st.datetimes(timezones=st.just(UTC))
_severity = st.sampled_from(Severity)
_job = st.builds(
    Job,
    **dict.fromkeys(
        ("id", "name", "owner", "namespace", "workload", "container", "nodes", "rank"), hostile
    ),
    ended=st.booleans(),
)
_cause = st.builds(
    Cause,
    cause=hostile,
    title=hostile,
    severity=_severity,
    count=st.integers(),
    first_at=_moment,
    last_at=_moment,
)
incidents = st.builds(
    Incident,
    schema_=st.just("incident/1"),
    fingerprint=hostile,
    generation=st.integers(min_value=0),
    version=st.integers(min_value=1),
    state=st.sampled_from(["open", "resolved"]),
    severity=_severity,
    entity=st.builds(
        Entity,
        kind=st.sampled_from(["gpu", "nvswitch", "node", "port", "rack", "fabric", "job"]),
        node=hostile,
        device=hostile,
        uuid=hostile,
    ),
    cause=st.one_of(hostile, st.just("xid/79")),
    title=hostile,
    meaning=hostile,
    action=hostile,
    owner=st.sampled_from(["oncall", "job"]),
    job=st.none() | _job,
    labels=st.dictionaries(hostile, hostile, max_size=8),
    marks=st.lists(hostile, max_size=4).map(tuple),
    evidence=st.lists(hostile, max_size=6).map(tuple),
    causes=st.lists(_cause, max_size=8).map(tuple),
    other_causes=st.integers(),
    count=st.integers(),
    first_at=_moment,
    last_at=_moment,
    opened_at=_moment,
    resolved_at=st.none() | _moment,
    channels=st.just(()),
    cleared=st.none(),
    latest=st.none(),
    clock_skew_s=st.floats(),
    hops=st.builds(
        Hops,
        observed_at=_moment,
        sent_at=st.none(),
        queued_at=st.none(),
        received_at=st.none(),
        decided_at=st.none(),
        delivered_at=st.none(),
    ),
)
notices = st.builds(
    Notice,
    schema_=st.just("notice/1"),
    action=st.sampled_from(["trigger", "update", "resolve"]),
    channel=st.sampled_from([SLACK, PAGERDUTY]),
    incident=incidents,
    created_at=_moment,
)
