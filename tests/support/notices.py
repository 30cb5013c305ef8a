"""Pages and notices to test delivery with: each builder takes only what its test is about."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from reflexarc.events.delivery import Delivery
from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Cause, Incident, PageRef
from reflexarc.events.notice import Channel, Notice
from reflexarc.events.page import Entry, Member, Mute, Page, Step, Story
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops
from reflexarc.notify.model import Attempt, Receipt

NOW = datetime(2026, 3, 3, 4, 44, 24, tzinfo=UTC)
SLACK = Channel(name="slack", kind="slack", destination="C0PAGES")
PAGERDUTY = Channel(name="pagerduty", kind="pagerduty")
WEBHOOK = Channel(name="webhook", kind="webhook", destination="https://hook.example/pages")
SNS = Channel(name="sns", kind="sns", destination="arn:aws:sns:eu-west-1:000000000000:pages")


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def gpu_of(gpu: int, node: str = "node-7") -> Entity:
    """Return one GPU of a node."""
    return Entity(kind="gpu", node=node, device=f"0000:{gpu:02x}:00")


def scope_of(gpu: int) -> str:
    """Return the scope of the page that a GPU's incident leads."""
    return f"{gpu:032x}"


def incident(gpu: int = 1, node: str = "node-7", **fields: Any) -> Incident:
    """Return an open incident about one GPU."""
    entity = gpu_of(gpu, node)
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


def page(gpu: int = 1, *, lead: Incident | None = None, **fields: Any) -> Page:
    """Return a page that one incident leads, told to Slack and PagerDuty unless stated.

    Its state brings what belongs to it: who acknowledged it, when it was resolved.
    """
    scope, generation = fields.get("scope", scope_of(gpu)), fields.get("generation", 1)
    ref = PageRef(scope=scope, generation=generation)
    state = fields.get("state", "open")
    ends: dict[str, Any] = {"state": "resolved", "resolved_at": at(60)}
    led = lead or incident(gpu, page=ref, **(ends if state == "resolved" else {}))
    values: dict[str, Any] = {
        "scope": scope,
        "generation": generation,
        "version": 1,
        "state": "open",
        "family": "bus",
        "severity": led.severity,
        "lead": led,
        "opened_at": NOW,
        "accepts_until": at(300),
        "channels": (SLACK, PAGERDUTY),
        "routes": ("all",),
    }
    if state == "resolved":
        values |= {"resolved_at": at(60), "resolved_by": ""}
    if state == "acked":
        values |= {"acked_at": at(30), "acked_by": "operator"}
    return Page(**(values | fields))


def member(gpu: int = 2, node: str = "node-7", **fields: Any) -> Member:
    """Return an incident that joined a page; a higher number joined later."""
    entity = gpu_of(gpu, node)
    values: dict[str, Any] = {
        "fingerprint": entity.fingerprint,
        "generation": 1,
        "version": 1,
        "state": "open",
        "severity": Severity.CRITICAL,
        "entity": entity,
        "cause": "xid/79",
        "title": "XID 79: GPU has fallen off the bus",
        "count": 1,
        "first_at": at(gpu),
        "last_at": at(gpu),
        "joined_at": at(gpu),
    }
    if fields.get("state") == "resolved":
        values["resolved_at"] = at(60)
    return Member(**(values | fields))


def story(*members: Member, about: Page | None = None, **fields: Any) -> Story:
    """Return a page with its members; the page is `about`, or one with these fields."""
    return Story(page=about or page(**fields), members=members)


def notice(channel: Channel = SLACK, /, about: Page | None = None, **fields: Any) -> Notice:
    """Return the row that says that a channel is behind on a page."""
    behind_on = about or page()
    values: dict[str, Any] = {
        "channel": channel,
        "page": behind_on.ref,
        "severity": behind_on.severity,
        "created_at": NOW,
    }
    return Notice(**(values | fields))


def receipt(**fields: Any) -> Receipt:
    """Return what Slack gave us for a critical page."""
    values: dict[str, Any] = {
        "vendor_id": "1772513064.000001",
        "destination": SLACK.destination,
        "via": "slack",
        "posted_at": at(0.1),
        "severity": Severity.CRITICAL,
        "state": "open",
        "latency_ms": 84,
    }
    return Receipt(**(values | fields))


def attempt(detail: str = "", **fields: Any) -> Attempt:
    """Return an attempt to tell Slack that worked."""
    values: dict[str, Any] = {
        "channel": "slack",
        "action": "trigger",
        "outcome": "sent",
        "at": NOW,
        "latency_ms": 42,
        "hops": Hops(observed_at=NOW, delivered_at=at(0.042)),
    }
    return Attempt(**(values | {"detail": detail} | fields))


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
_entity = st.builds(
    Entity,
    kind=st.sampled_from(["gpu", "nvswitch", "node", "port", "rack", "fabric", "job"]),
    node=hostile,
    device=hostile,
    uuid=hostile,
)
_page_ref = st.builds(
    PageRef,
    scope=st.text("0123456789abcdef", min_size=32, max_size=32),
    generation=st.integers(min_value=1, max_value=99_999_999),
)
_cause_name = st.one_of(hostile, st.just("xid/79"))
_owner = st.sampled_from(["oncall", "job"])
_strings = st.lists(hostile, max_size=4).map(tuple)
incidents = st.builds(
    Incident,
    schema_=st.just("incident/1"),
    fingerprint=hostile,
    generation=st.integers(min_value=0),
    version=st.integers(min_value=1),
    state=st.sampled_from(["open", "resolved"]),
    severity=_severity,
    entity=_entity,
    cause=_cause_name,
    title=hostile,
    meaning=hostile,
    action=hostile,
    owner=_owner,
    job=st.none() | _job,
    labels=st.dictionaries(hostile, hostile, max_size=8),
    marks=_strings,
    evidence=st.lists(hostile, max_size=6).map(tuple),
    causes=st.lists(_cause, max_size=8).map(tuple),
    other_causes=st.integers(),
    count=st.integers(),
    first_at=_moment,
    last_at=_moment,
    opened_at=_moment,
    resolved_at=st.none() | _moment,
    page=st.none() | _page_ref,
    openings=st.lists(_moment, max_size=3).map(tuple),
    jobs=_strings,
    why=_strings,
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
members = st.builds(
    Member,
    fingerprint=hostile,
    generation=st.integers(min_value=0),
    version=st.integers(min_value=1),
    state=st.sampled_from(["open", "resolved"]),
    role=st.sampled_from(["member", "consequence", "echo"]),
    severity=_severity,
    entity=_entity,
    cause=_cause_name,
    title=hostile,
    count=st.integers(),
    owner=_owner,
    job=st.none() | _job,
    first_at=_moment,
    last_at=_moment,
    joined_at=_moment,
    resolved_at=st.none() | _moment,
)
_entry = st.builds(
    Entry,
    number=st.integers(min_value=1),
    at=_moment,
    what=hostile,
    by=hostile,
    loud=st.booleans(),
)
_mute = st.builds(
    Mute,
    kind=st.sampled_from(["silence", "inhibition", "maintenance"]),
    name=hostile,
    why=hostile,
    until=st.none() | _moment,
)
_step = st.builds(
    Step,
    kind=st.sampled_from(["look", "begin", "escalate", "repeat", "settle"]),
    at=_moment,
    channels=_strings,
    every_s=st.just(0.0),
)
channels = st.sampled_from([SLACK, PAGERDUTY, WEBHOOK, SNS])
pages = st.builds(
    Page,
    schema_=st.just("page/1"),
    scope=st.text("0123456789abcdef", min_size=32, max_size=32),
    generation=st.integers(min_value=1, max_value=99_999_999),
    version=st.integers(min_value=1),
    state=st.sampled_from(["open", "acked", "closing", "resolved"]),
    family=hostile,
    by=st.dictionaries(hostile, hostile, max_size=4),
    severity=_severity,
    lead=incidents,
    opened_at=_moment,
    accepts_until=_moment,
    resolved_at=st.none() | _moment,
    resolved_by=hostile,
    acked_at=st.none() | _moment,
    acked_by=hostile,
    channels=st.lists(channels, max_size=4).map(tuple),
    routes=_strings,
    muted=st.none() | _mute,
    steps=st.lists(_step, max_size=3).map(tuple),
    timer=st.integers(min_value=0),
    history=st.lists(_entry, max_size=4).map(tuple),
    flapping=st.booleans(),
)
stories = st.builds(Story, page=pages, members=st.lists(members, max_size=5).map(tuple))
notices = st.builds(
    Notice,
    schema_=st.just("notice/1"),
    channel=channels,
    page=_page_ref,
    severity=_severity,
    created_at=_moment,
    stamp=hostile,
    fresh=st.booleans(),
    shared=st.booleans(),
)
