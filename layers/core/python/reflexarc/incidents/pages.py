"""What may happen to a page: it opens, grows graver, is acknowledged, closes, ends. Pure.

Every change is one version and, where people should read of it, one line of history.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from reflexarc.events.action import Person
from reflexarc.events.incident import Incident
from reflexarc.events.notice import Channel
from reflexarc.events.page import HISTORY_MAX, JOINABLE, Entry, Member, Mute, Page, Step
from reflexarc.events.severity import Severity
from reflexarc.events.signal import APPLICATION
from reflexarc.incidents.model import Group, Wanted

# A mute may end early (a silence expired by hand), so it is looked at this often.
LOOK_EVERY = timedelta(seconds=60)
# What flaps must stay well for so long before anybody is told that it ended.
SETTLE_AFTER = timedelta(minutes=10)
# A fault of a job's own code is over when it stops: nothing ever says that it was repaired.
QUIET = timedelta(hours=1)


def opened(
    group: Group, generation: int, lead: Incident, wanted: Wanted, now: datetime, *, flapping: bool
) -> Page:
    """Return the first version of a page."""
    muted = wanted.mute
    steps = (look_again(muted, now),) if muted else wanted.steps
    if lead.entity.aspect == APPLICATION:
        steps = (*steps, Step(kind="settle", at=now + QUIET))
    page = Page(
        scope=group.scope,
        generation=generation,
        version=1,
        state="open",
        family=group.family,
        by=dict(group.by),
        severity=lead.severity,
        lead=lead,
        opened_at=now,
        accepts_until=now + group.window,
        channels=() if muted else wanted.channels,
        routes=wanted.routes,
        muted=muted,
        steps=steps,
        timer=1,
        flapping=flapping,
    )
    return said(page, _opening(page, wanted), now)


def accepts(page: Page, now: datetime) -> bool:
    """Return whether a further incident of its scope may join the page now."""
    return page.state in JOINABLE and now < page.accepts_until


def said(page: Page, what: str, now: datetime, *, by: str = "", loud: bool = False) -> Page:
    """Return the page with one more line of history."""
    number = page.history[-1].number + 1 if page.history else 1
    entry = Entry(number=number, at=now, what=what, by=by, loud=loud)
    return page.model_copy(update={"history": (*page.history, entry)[-HISTORY_MAX:]})


def led_by(page: Page, lead: Incident) -> Page:
    """Return the page with another version of its lead, or another incident as its lead."""
    severity = max(page.severity, lead.severity, key=lambda each: each.rank)
    return page.model_copy(update={"lead": lead, "severity": severity})


def raised(page: Page, wanted: Wanted, severity: Severity, now: datetime) -> Page:
    """Return a page that became graver: whoever was not told yet is, and an ack counts no more."""
    fresh = fresh_of(page, wanted.channels)
    told = f"now told to {names(fresh)}" if fresh else ""
    rose = f"severity rose from {page.severity} to {severity}"
    what = ", ".join(said for said in (rose if severity is not page.severity else "", told) if said)
    update: dict[str, object] = {
        "severity": severity,
        "channels": (*page.channels, *fresh),
        "routes": tuple(dict.fromkeys((*page.routes, *wanted.routes))),
    }
    if page.acked_at is not None:
        state = page.state if page.state == "closing" else "open"
        update |= {"state": state, "acked_at": None, "acked_by": ""}
        what += "; the acknowledgement is void"
    page = said(page, what, now, loud=True).model_copy(update=update)
    return stepped(page, _with(page.steps, wanted.steps))


def _with(steps: tuple[Step, ...], wanted: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return steps to come with those wanted now; what a silence put off comes as wanted."""
    latest: dict[tuple[str, tuple[str, ...]], datetime] = {}
    for step in wanted:
        key = step.kind, step.channels
        latest[key] = max(step.at, latest.get(key, step.at))
    put_off = {
        (step.kind, step.channels)
        for step in steps
        if step.at > latest.get((step.kind, step.channels), step.at)
    }
    kept = [step for step in steps if (step.kind, step.channels) not in put_off]
    known = {(step.kind, step.channels) for step in kept}
    return (*kept, *(step for step in wanted if (step.kind, step.channels) not in known))


def told(page: Page, channels: Iterable[Channel]) -> Page:
    """Return the page told to further channels."""
    return page.model_copy(
        update={"channels": (*page.channels, *fresh_of(page, channels)), "muted": None}
    )


def fresh_of(page: Page, channels: Iterable[Channel]) -> tuple[Channel, ...]:
    """Return those channels that were not told of the page yet."""
    known = {channel.name for channel in page.channels}
    return tuple(channel for channel in channels if channel.name not in known)


def stepped(page: Page, steps: Iterable[Step]) -> Page:
    """Return the page with these steps to come; timers that were planned before do nothing."""
    steps = tuple(steps)
    if steps == page.steps:
        return page
    return page.model_copy(update={"steps": steps, "timer": page.timer + 1})


def acked(page: Page, person: Person, now: datetime) -> Page:
    """Return the page as somebody took it on: nobody else is called or reminded."""
    rest = (step for step in page.steps if step.kind not in {"escalate", "repeat"})
    page = stepped(said(page, "acknowledged", now, by=shown(person)), rest)
    # Whoever looks whether a page is over must find it as it was shut.
    state = page.state if page.state == "closing" else "acked"
    return page.model_copy(update={"state": state, "acked_at": now, "acked_by": shown(person)})


def hushed(page: Page, person: Person, until: datetime, now: datetime) -> Page:
    """Return the page as somebody silenced it: what was told stays, nobody is called until then."""
    steps = (
        step.model_copy(update={"at": max(step.at, until)})
        if step.kind in {"escalate", "repeat"}
        else step
        for step in page.steps
    )
    what = f"silenced until {until:%Y-%m-%d %H:%M} UTC"
    if any(entry.what == what for entry in page.history):
        return page
    return stepped(said(page, what, now, by=shown(person)), steps)


def closing(page: Page) -> Page:
    """Return the page shut for newcomers while somebody looks whether all of it is well."""
    return page.model_copy(update={"state": "closing"})


def reopened(page: Page) -> Page:
    """Return a page that is not over after all, as it was before it was closing."""
    return page.model_copy(
        update={"state": "acked" if page.acked_at else "open", "resolved_by": ""}
    )


def resolved(page: Page, members: int, now: datetime) -> Page:
    """Return the page at its end."""
    by, number = page.resolved_by, f"{members + 1:,}"
    what = "resolved"
    if members:
        what = (
            f"resolved with all its {number} incidents"
            if by
            else f"resolved: all {number} are well"
        )
    update = {"state": "resolved", "resolved_at": now}
    return stepped(said(page, what, now, by=by), ()).model_copy(update=update)


def settling(page: Page, now: datetime) -> Page:
    """Return a flapping page whose lead is well: it ends when that lasts."""
    rest = (step for step in page.steps if step.kind != "settle")
    return stepped(page, (*rest, Step(kind="settle", at=now + SETTLE_AFTER)))


def member_of(incident: Incident) -> Member:
    """Return an incident as a page's members show it."""
    return Member(
        fingerprint=incident.fingerprint,
        generation=incident.generation,
        version=incident.version,
        state=incident.state,
        role=incident.role,
        severity=incident.severity,
        entity=incident.entity,
        cause=incident.cause,
        title=incident.title,
        count=incident.count,
        owner=incident.owner,
        job=incident.job,
        first_at=incident.first_at,
        last_at=incident.last_at,
        joined_at=incident.joined_at or incident.opened_at,
        resolved_at=incident.resolved_at,
    )


def look_again(mute: Mute, now: datetime) -> Step:
    """Return when to see whether a mute still holds."""
    soon = now + LOOK_EVERY
    return Step(kind="look", at=min(soon, mute.until) if mute.until else soon)


def looked_at_now(page: Page, now: datetime) -> Page:
    """Return a muted page of which somebody should see at once whether its mute still holds."""
    rest = (step for step in page.steps if step.kind != "look")
    return stepped(page, (*rest, Step(kind="look", at=now)))


def shown(person: Person) -> str:
    """Return a person as a page names them."""
    return person.name or person.id


def names(channels: Iterable[Channel]) -> str:
    """Return channels in words."""
    return ", ".join(channel.name for channel in channels)


def _opening(page: Page, wanted: Wanted) -> str:
    if page.muted:
        return f"opened, told to nobody: {page.muted.kind} {page.muted.name}"
    later = "".join(
        f"; {', '.join(step.channels)} from {step.at:%Y-%m-%d %H:%M} UTC"
        for step in wanted.steps
        if step.kind == "begin"
    )
    flaps = ", flapping" if page.flapping else ""
    return f"opened{flaps}, told to {names(page.channels) or 'nobody yet'}{later}"
