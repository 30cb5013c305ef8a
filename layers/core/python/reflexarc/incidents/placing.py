"""As part of which page an incident is told: the one that it is in, one that it joins, a new one.

Members are rows of their own, and joining demands nothing of the page's version: five thousand
incidents may join at once. What makes a page graver, or changes its lead, is a change of the page.
"""

from reflexarc.events.incident import Incident, Role
from reflexarc.events.page import JOINABLE, LIVE, Mute, Page
from reflexarc.events.severity import Severity
from reflexarc.incidents import pages
from reflexarc.incidents.draft import Draft
from reflexarc.incidents.grouping import echo_of, echoed_by, group_of
from reflexarc.incidents.growth import because, flaps, gravity, moved
from reflexarc.incidents.limits import join_marks
from reflexarc.incidents.model import Group, IncidentWrite, Wanted
from reflexarc.incidents.mutes import asked, holds, mute_of
from reflexarc.incidents.routes import wanted
from reflexarc.incidents.telling import noteworthy


def place(draft: Draft, before: Incident | None, stage: Incident) -> Incident:
    """Put an incident's new version into its page, and return it with the page's name."""
    same = before is not None and before.generation == stage.generation
    if stage.state == "resolved" or not same:
        draft.hold(holds(stage, draft.policy), lift=stage.state == "resolved")
    home = _home(draft, stage, same=same)
    if stage.state == "resolved":
        return _is_well(draft, home, stage)
    if home is not None:
        return _stays(draft, home, before, stage)
    return arrive(draft, stage)


def arrive(draft: Draft, incident: Incident) -> Incident:
    """Let an incident that is told nowhere join a page, open one, or be kept in the list alone."""
    want = wanted(incident, draft.policy, draft.now)
    group = group_of(incident, draft.policy)
    if want.somebody:
        mute = mute_for(draft, incident)
        if mute is not None:
            want = Wanted(channels=want.channels, steps=want.steps, routes=want.routes, mute=mute)
            group = group_of(incident, draft.policy, mute)
    elif not group.consequence:
        return moved(incident, None)
    kin = None if want.mute else _kin(draft, incident)
    if kin is not None:
        page, says, echoes = kin
        marked = _marked(incident, says, echoes=echoes)
        role: Role = "echo" if echoes else "member"
        return _joins(draft, page, marked, group=group, want=want, role=role)
    latest = _kept_open(draft, draft.latest(group.scope), incident)
    led_it = latest is not None and latest.lead.fingerprint == incident.fingerprint
    if latest is not None and pages.accepts(latest, draft.now) and (want.somebody or not led_it):
        role = "consequence" if group.consequence else "member"
        return _joins(draft, latest, incident, group=group, want=want, role=role)
    if not want.somebody:
        return moved(incident, None)
    return _opens(draft, latest, incident, group, want)


def mute_for(draft: Draft, incident: Incident) -> Mute | None:
    """Return what keeps an incident quiet at this moment; None where nothing does."""
    held = {key: draft.held_by(key) for _, key in asked(incident, draft.policy)}
    return mute_of(incident, draft.policy, held, draft.now)


def _kept_open(draft: Draft, page: Page | None, incident: Incident) -> Page | None:
    """Return a page, open again where the same batch that brings an incident just shut it."""
    if page is None or not draft.shuts(page) or page.lead.fingerprint == incident.fingerprint:
        return page
    page = pages.reopened(page)
    draft.change(page)
    return page


def rehome(draft: Draft, incident: Incident) -> None:
    """Let an open incident whose page ended without it be told anew."""
    if (gone := incident.page) and draft.page(gone):
        draft.leave(gone, pages.member_of(incident))
    lost = moved(incident, None).model_copy(update={"version": incident.version + 1})
    told = arrive(draft, because(lost, "the page it joined ended meanwhile", draft.now))
    draft.incidents.append(IncidentWrite(incident=told, expected=incident.version))


def _home(draft: Draft, stage: Incident, *, same: bool) -> Page | None:
    """Return the page that tells an incident; a new generation is told where the last one was.

    Unless nobody would be told of it: a late consequence is no return of the trouble that led.
    """
    page = draft.page(stage.page) if stage.page else None
    if page is None or page.state not in (LIVE if same else JOINABLE):
        return None
    told = same or stage.state == "resolved" or wanted(stage, draft.policy, draft.now).somebody
    return page if told else None


def _is_well(draft: Draft, home: Page | None, stage: Incident) -> Incident:
    if home is None:
        return stage
    if home.lead.fingerprint != stage.fingerprint:
        draft.join(home, pages.member_of(stage))
    elif home.flapping:
        draft.change(pages.settling(pages.led_by(home, stage), draft.now))
    else:
        draft.change(pages.closing(pages.led_by(home, stage)))
    return because(stage, "well again", draft.now)


def _stays(draft: Draft, home: Page, before: Incident | None, stage: Incident) -> Incident:
    again = before is None or before.generation != stage.generation
    graver = again or (before is not None and gravity(stage) > gravity(before))
    news = again or (before is not None and noteworthy(before, stage))
    stage = moved(stage, home.ref)
    leads = home.lead.fingerprint == stage.fingerprint
    want = wanted(stage, draft.policy, draft.now) if graver and not home.muted else Wanted()
    rises = _rises(home, stage, want)
    if home.muted and graver and mute_for(draft, stage) is None:
        if not leads:
            return _speaks_up(draft, home, home.muted, stage)
        home = pages.looked_at_now(home, draft.now)
    if leads or rises:
        if news or rises:
            draft.change(led(draft, home, stage, want))
    elif news:
        draft.join(home, pages.member_of(stage))
    if again:
        draft.came(home, stage)
    return stage


def _speaks_up(draft: Draft, home: Page, mute: Mute, stage: Incident) -> Incident:
    """Let a member be told elsewhere: it became what its page's mute does not keep quiet."""
    draft.leave(home.ref, pages.member_of(stage))
    why = f"{mute.kind} {mute.name} covers it no more"
    return arrive(draft, because(moved(stage, None), why, draft.now))


def _rises(page: Page, incident: Incident, want: Wanted) -> bool:
    if page.muted:
        return False
    fresh = pages.fresh_of(page, want.channels)
    return incident.severity.rank > page.severity.rank or bool(fresh)


def led(draft: Draft, page: Page, lead: Incident, want: Wanted) -> Page:
    """Return the page under this lead; who led before becomes a member."""
    if page.lead.fingerprint != lead.fingerprint:
        draft.join(page, pages.member_of(page.lead))
        draft.leave(page.ref, pages.member_of(lead))
    elif page.lead.generation != lead.generation:
        page = pages.said(page, f"broke again: {lead.title}", draft.now)
        if flaps(lead, draft.policy.flaps):
            page = page.model_copy(update={"flapping": True})
    if _rises(page, lead, want):
        page = pages.raised(page, want, _graver(page, lead), draft.now)
    return pages.led_by(page, lead)


def _graver(page: Page, lead: Incident) -> Severity:
    return max(page.severity, lead.severity, key=lambda each: each.rank)


def _joins(
    draft: Draft, page: Page, incident: Incident, *, group: Group, want: Wanted, role: Role
) -> Incident:
    incident = because(
        moved(incident, page.ref).model_copy(update={"role": role, "joined_at": draft.now}),
        f"joined page {page.key[:8]} as its {role}: {_grouped(group)}",
        draft.now,
    )
    its = group_of(page.lead, draft.policy)
    is_cause = (group.origin and not its.origin) or (
        role == "member" and group.family != its.family
    )
    # It may have led the page before: a second row of it would stay when it is well again.
    leads = page.lead.fingerprint == incident.fingerprint
    if leads or (role != "echo" and (_rises(page, incident, want) or is_cause)):
        draft.change(led(draft, page, incident, want))
    else:
        draft.join(page, pages.member_of(incident))
    draft.came(page, incident)
    return incident


def _opens(
    draft: Draft, latest: Page | None, incident: Incident, group: Group, want: Wanted
) -> Incident:
    page = pages.opened(
        group,
        latest.generation + 1 if latest else 1,
        incident,
        want,
        draft.now,
        flapping=flaps(incident, draft.policy.flaps),
    )
    told = page.history[-1].what.removeprefix("opened, ")
    by = f" ({', '.join(want.routes)})" if want.routes else ""
    incident = because(
        moved(incident, page.ref).model_copy(update={"role": "member", "joined_at": draft.now}),
        f"opened page {page.key[:8]}, {told}{by}: {_grouped(group)}",
        draft.now,
    )
    draft.change(page.model_copy(update={"lead": incident}))
    return incident


def _kin(draft: Draft, incident: Incident) -> tuple[Page, str, bool] | None:
    """Return the page of a dead peer on the node, or of its echo; the words; which this is."""
    for found, echoes in ((echo_of, True), (echoed_by, False)):
        kin = found(incident, draft.policy)
        if kin is None:
            continue
        echo, group = kin
        page = draft.latest(group.scope)
        if page is None or not pages.accepts(page, draft.now):
            continue
        if not echoes and page.lead.cause != echo.cause:
            continue
        if draft.is_on(page, incident.entity.node):
            return page, echo.says, echoes
    return None


def _marked(incident: Incident, says: str, *, echoes: bool) -> Incident:
    mark = says if echoes else "what was told of this page before is its echo"
    return incident.model_copy(update={"marks": join_marks(incident.marks, (mark,))})


def _grouped(group: Group) -> str:
    by = ", ".join(f"{name}={value}" for name, value in sorted(group.by.items()))
    return f"family {group.family}{f' by {by}' if by else ''}"
