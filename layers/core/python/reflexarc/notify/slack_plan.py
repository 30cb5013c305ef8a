"""What Slack is behind on: the page's message, its list of nodes, its history. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Literal

from reflexarc.events.page import Entry, Page, Story
from reflexarc.notify import extent, rules, slack_history, slack_list, slack_pace, slack_root
from reflexarc.notify.model import Posted, Receipt, Task
from reflexarc.notify.slack_blocks import Message

VIA, FALLBACK = "slack", "fallback"
ROOT, HISTORY = "root", "history"


def next_task(
    story: Story, destination: str, receipt: Receipt | None, now: datetime
) -> Task | None:
    """Return the next thing to tell, None when the channel knows all.

    What may be told at once goes before what waits for its pace.
    """
    if receipt is None:
        return _root(story, destination, None, now)
    waiting: list[tuple[datetime, Task]] = []
    for task in _behind(story, receipt, now):
        if task.earliest is None or task.earliest <= now:
            return task
        waiting.append((task.earliest, task))
    return min(waiting, key=lambda entry: entry[0])[1] if waiting else None


def plain(task: Task, story: Story) -> Task:
    """Return the same thing as bare text, for when Slack refuses the blocks."""
    body = task.body
    if task.part == ROOT:
        said = slack_root.plain(story, task.becomes.latency_ms)
    else:
        said = "\n".join(block["text"]["text"] for block in body["blocks"])
    return replace(task, body={**body, "text": said, "blocks": []})


def known_as(part: str) -> str:
    """Return the key of a receipt's `parts`: of the replies of history only the newest is kept."""
    return HISTORY if part.startswith(f"{HISTORY}/") else part


def _behind(story: Story, receipt: Receipt, now: datetime) -> Iterator[Task]:
    """Yield what the channel is behind on, the most urgent first."""
    if not receipt.vendor_id:
        yield from _added(story, receipt, now)
        return
    news = [entry for entry in story.page.history if entry.number > receipt.said]
    loud = any(_is_loud(entry, receipt) for entry in news)
    if loud:
        yield _reply(story, receipt, news, now)
    root = _root(story, receipt.destination, receipt, now)
    if root.digest != receipt.digest:
        yield root
    yield from _lists(story, receipt, now)
    if news and not loud:
        yield _reply(story, receipt, news, now)


def _added(story: Story, receipt: Receipt, now: datetime) -> Iterator[Task]:
    """Yield what is worth a further message, where none can be changed."""
    page = story.page
    root = _root(story, receipt.destination, receipt, now)
    ended = page.state == "resolved" and receipt.state != "resolved"
    if ended or slack_pace.graver(page, receipt):
        yield replace(root, pages=not ended, earliest=None)
    elif receipt.via == VIA and root.digest != receipt.digest:
        yield replace(root, earliest=None)  # somebody deleted the message
    elif news := [e for e in page.history if e.number > receipt.said and _is_loud(e, receipt)]:
        yield _reply(story, receipt, news, now)


def _root(story: Story, destination: str, receipt: Receipt | None, now: datetime) -> Task:
    page = story.page
    latency = receipt.latency_ms if receipt else rules.latency_ms(page.lead.hops, now)
    message = slack_root.render(story, latency)
    digest = _digest(message)
    shared = bool(story.members)
    if receipt is None:
        becomes = Receipt(
            vendor_id="",
            destination=destination,
            via=VIA,
            posted_at=now,
            said=min(
                1, slack_pace.newest(page)
            ),  # the message itself tells that the page was opened
            latency_ms=latency,
        )
    else:
        # Without a thread the message is all there is, and tells what happened since.
        said = slack_pace.newest(page) if receipt.via == FALLBACK else receipt.said
        becomes = receipt.model_copy(update={"updated_at": now, "said": said})
    told = {"severity": page.severity, "state": page.state, "digest": digest}
    return Task(
        part=ROOT,
        action=_action(page, receipt),
        body=message,
        becomes=becomes.model_copy(update={**told, "shared": becomes.shared or shared}),
        pages=receipt is None and page.state != "resolved",
        earliest=slack_pace.root(page, receipt, now),
        digest=digest,
    )


def _action(page: Page, receipt: Receipt | None) -> Literal["trigger", "update", "resolve"]:
    if receipt is None:
        return "trigger"
    return "resolve" if page.state == "resolved" != receipt.state else "update"


def _lists(story: Story, receipt: Receipt, now: datetime) -> Iterator[Task]:
    reached = extent.of(story)
    posted = sum(part.startswith("list/") for part in receipt.parts)
    if not posted and slack_root.names_all(reached):
        return
    allotted = slack_list.allot(reached)
    pace = slack_pace.ListPace(story.page, receipt, len(allotted), now)
    before = 0
    for number in range(1, max(len(allotted), posted) + 1):
        # A list page that has become needless says so: replies are never deleted.
        spots = allotted[number - 1] if number <= len(allotted) else ()
        message = slack_list.render(story.page, number, before, spots)
        before += len(spots)
        part = slack_list.part_of(number)
        known = receipt.parts.get(part)
        digest = _digest(message)
        if known is None or known.digest != digest:
            yield Task(
                part=part,
                action="reply" if known is None else "update",
                body=message,
                becomes=_with_part(receipt, part, digest, now),
                earliest=pace.earliest(known, spots),
                digest=digest,
            )


def _reply(story: Story, receipt: Receipt, news: list[Entry], now: datetime) -> Task:
    page, newest = story.page, news[-1].number
    loud = any(_is_loud(entry, receipt) for entry in news)
    message = slack_history.render(story, news, loud=loud)
    digest, rises = _digest(message), loud and slack_pace.graver(page, receipt)
    becomes = _with_part(receipt, HISTORY, digest, now)
    update: dict[str, object] = {"said": newest}
    if rises:
        latency = rules.latency_ms(page.lead.hops, now)
        update |= {"severity": page.severity, "latency_ms": latency}
    return Task(
        part=slack_history.part_of(newest),
        action="reply",
        body=message,
        becomes=becomes.model_copy(update=update),
        pages=rises,
        earliest=None if rises else slack_pace.post(receipt),
        digest=digest,
    )


def _with_part(receipt: Receipt, part: str, digest: str, now: datetime) -> Receipt:
    known = receipt.parts.get(part)
    vendor_id = known.vendor_id if known else ""
    posted = Posted(vendor_id=vendor_id, digest=digest, updated_at=now)
    return receipt.model_copy(update={"parts": {**receipt.parts, part: posted}})


def _is_loud(entry: Entry, receipt: Receipt) -> bool:
    """Return whether the channel should notice: what its first message showed is no news."""
    return entry.loud and entry.at > receipt.posted_at


def _digest(message: Message) -> str:
    digest: str = message["metadata"]["event_payload"]["digest"]
    return digest
