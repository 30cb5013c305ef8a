"""What a channel of programs (a webhook, a topic) is told next: one page_event/1 a change.

A receiver that was told nothing new is not called: that a known fault was seen again is no event,
and small changes come together, once in ten seconds.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident
from reflexarc.events.page import Entry, Story
from reflexarc.events.page_event import Counts, Happening, Lead, Node, PageEvent, Work
from reflexarc.events.signal import Entity
from reflexarc.notify import extent, telling
from reflexarc.notify.extent import Extent
from reflexarc.notify.hostile_text import one_line
from reflexarc.notify.model import Receipt, Task

PACE = timedelta(seconds=10)
NODES_MAX = 1_000
# All of an event must fit SNS: 256 KiB, at three bytes a character.
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
NODES_BYTES = 64 * 1024
_NODE_BYTES = 40  # what a node takes beside its name
NAME, LINE, TEXT, SUMMARY = 255, 500, 2_000, 500
_LISTED = {"labels": 30, "marks": 10, "evidence": 5, "routes": 20, "history": 20}
# Larger numbers lose digits in programs that keep all numbers as floats.
_COUNT_MAX = 2**53 - 1
_NO_ID = "0" * 64
_SILENT: dict[str, Any] = {
    "id": True,
    "event": True,
    "counts": {"seen"},
    "lead": {"count", "last_at"},
}
_ACTIONS: Mapping[
    Happening, Literal["trigger", "update", "acknowledge", "resolve"]
] = {
    "opened": "trigger",
    "updated": "update",
    "repeated": "update",
    "acknowledged": "acknowledge",
    "resolved": "resolve",
}  # fmt: skip


def next_task(story: Story, receipt: Receipt | None, now: datetime, via: str) -> Task | None:
    """Return the next event, None when the channel knows all.

    A page that ended before it was told is opened, then resolved: receivers see both.
    """
    state = _state_of(story)
    digest = _digest(state.model_dump(mode="json", by_alias=True, exclude=_SILENT))
    happening = _happening(story, receipt, digest)
    if happening is None:
        return None
    pages = receipt is None or (happening == "updated" and telling.graver(story.page, receipt))
    return Task(
        part=happening,
        action=_ACTIONS[happening],
        body=_body(state, happening),
        becomes=_known(story, receipt, now, via, happening).model_copy(update={"digest": digest}),
        pages=pages,
        earliest=None if pages or happening != "updated" else _paced(receipt),
        digest=digest,
    )


def _known(
    story: Story, receipt: Receipt | None, now: datetime, via: str, happening: Happening
) -> Receipt:
    """Return what the channel knows then; an ack or an end is told by an event of its own."""
    known = telling.becomes(story, receipt, now, via)
    if receipt is None:
        return known.model_copy(update={"state": "open", "vendor_id": story.page.key})
    if happening in {"acknowledged", "resolved"} or known.state == "open":
        return known
    return known.model_copy(update={"state": receipt.state})


def _paced(receipt: Receipt | None) -> datetime | None:
    return None if receipt is None else (receipt.updated_at or receipt.posted_at) + PACE


def plain(task: Task) -> Task:
    """Return the same event with the essentials alone, for when its content was refused."""
    lead = {**task.body["lead"], "evidence": [], "labels": {}, "marks": []}
    left_out = {"nodes": [], "history": [], "truncated": True, "lead": lead}
    return replace(task, body={**task.body, **left_out})


def _happening(story: Story, receipt: Receipt | None, digest: str) -> Happening | None:
    """Return what happened since the channel was told: the most important of it."""
    if receipt is None:
        return "opened"
    if receipt.state == "resolved":
        return None
    standing = telling.standing(story.page)
    signs: tuple[tuple[bool, Happening], ...] = (
        (standing == "resolved", "resolved"),
        (telling.graver(story.page, receipt), "updated"),
        (standing == "acked" and receipt.state != "acked", "acknowledged"),
        (telling.reminds(story.page, receipt), "repeated"),
        (digest != receipt.digest, "updated"),
    )
    return next((happening for holds, happening in signs if holds), None)


def _body(state: PageEvent, happening: Happening) -> dict[str, Any]:
    body = state.model_dump(mode="json", by_alias=True) | {"event": happening}
    return body | {"id": _digest(body)}


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _state_of(story: Story) -> PageEvent:
    """Return the page as an event that has no id yet, whatever happened."""
    page, reached = story.page, extent.of(story)
    nodes = tuple(_nodes(reached))
    return PageEvent(
        id=_NO_ID,
        event="updated",
        key=page.key,
        page=page.ref,
        summary=one_line(extent.headline(story), SUMMARY),
        severity=page.severity,
        state=telling.standing(page),
        opened_at=page.opened_at,
        acked_at=page.acked_at,
        acked_by=one_line(page.acked_by, NAME),
        resolved_at=page.resolved_at,
        resolved_by=one_line(page.resolved_by, NAME),
        flapping=page.flapping,
        routes=_lines(page.routes, "routes", NAME),
        lead=_lead(page.lead),
        counts=_counts(reached),
        nodes=nodes,
        truncated=len(nodes) < len(reached.spots),
        history=tuple(_entry(entry) for entry in page.history[-_LISTED["history"] :]),
    )


def _counts(reached: Extent) -> Counts:
    return Counts(
        incidents=len(reached.things),
        devices=reached.devices,
        open_devices=reached.open_devices,
        nodes=reached.nodes,
        seen=_count(reached.seen),
    )


def _nodes(reached: Extent) -> Iterator[Node]:
    """Yield those with most that is broken, as many as an event may list."""
    room = NODES_BYTES
    ranked = sorted(reached.spots, key=lambda spot: -len(spot.open_devices))
    for spot in ranked[:NODES_MAX]:
        name = one_line(spot.name, NAME)
        room -= _NODE_BYTES + len(json.dumps(name, ensure_ascii=False).encode())
        if room < 0:
            return
        yield Node(node=name, devices=len(spot.devices), open=len(spot.open_devices))


def _lead(lead: Incident) -> Lead:
    labels = sorted(lead.labels.items())[: _LISTED["labels"]]
    return Lead(
        fingerprint=one_line(lead.fingerprint, NAME),
        entity=_entity(lead.entity),
        cause=one_line(lead.cause, NAME),
        title=one_line(lead.title, TEXT),
        meaning=one_line(lead.meaning, TEXT),
        action=one_line(lead.action, TEXT),
        owner=lead.owner,
        job=_work(lead.job),
        labels={one_line(name, NAME): one_line(value, NAME) for name, value in labels},
        marks=_lines(lead.marks, "marks", LINE),
        evidence=_lines(lead.evidence, "evidence", TEXT),
        count=_count(lead.count),
        first_at=lead.first_at,
        last_at=lead.last_at,
        observed_at=lead.hops.observed_at,
    )


def _entity(entity: Entity) -> Entity:
    return Entity(
        kind=entity.kind,
        node=one_line(entity.node, NAME),
        device=one_line(entity.device, NAME),
        uuid=one_line(entity.uuid, NAME),
        aspect=one_line(entity.aspect, NAME),
    )


def _work(job: Job | None) -> Work | None:
    if job is None:
        return None
    return Work(
        id=one_line(job.id, NAME),
        name=one_line(job.name, NAME),
        owner=one_line(job.owner, NAME),
        namespace=one_line(job.namespace, NAME),
    )


def _entry(entry: Entry) -> Entry:
    return Entry(
        number=entry.number,
        at=entry.at,
        what=one_line(entry.what, LINE),
        by=one_line(entry.by, NAME),
        loud=entry.loud,
    )


def _lines(texts: tuple[str, ...], listed: str, limit: int) -> tuple[str, ...]:
    return tuple(one_line(text, limit) for text in texts[: _LISTED[listed]])


def _count(count: int) -> int:
    return max(0, min(count, _COUNT_MAX))
