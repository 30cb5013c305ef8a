"""What happens to a page as time goes by: mutes end, hours begin, nobody answers, it stays well."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from reflexarc.events.action import Timer
from reflexarc.events.incident import Incident
from reflexarc.events.notice import Channel
from reflexarc.events.page import Page, Step
from reflexarc.events.signal import APPLICATION
from reflexarc.incidents import pages
from reflexarc.incidents.closing import Closing
from reflexarc.incidents.draft import Draft
from reflexarc.incidents.ending import Ending
from reflexarc.incidents.growth import gravity
from reflexarc.incidents.model import Policy, Wanted
from reflexarc.incidents.placing import led, mute_for
from reflexarc.incidents.planning import plan_steps
from reflexarc.incidents.ports import IncidentBook, Timers, WakeUps
from reflexarc.incidents.races import until_won
from reflexarc.incidents.routes import wanted
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.pause import jittered_pause

QUIET_WORDS = "no further fault for an hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepService:
    """Takes the steps of pages that are due. A timer that came late or twice does nothing."""

    book: IncidentBook
    wake_ups: WakeUps
    timers: Timers
    ending: Ending
    closing: Closing
    policy: Callable[[], Policy]
    clock: Clock
    pause: Callable[[int], None] = jittered_pause

    def tick(self, timer: Timer) -> None:
        """Take what is due of one page; raises Unavailable when it must be tried again."""
        due = partial(self._due, timer)
        groups = until_won(due, f"page {timer.page.scope}", self.pause)
        if groups is not None:
            self.wake_ups.wake(sorted(groups))

    def _due(self, timer: Timer) -> frozenset[str] | None:
        """Take what is due and return the groups with work; None where the timer is too late."""
        page = self.book.page(timer.page)
        if page is None or page.timer != timer.timer or page.state == "resolved":
            return None
        if self._is_over(page):
            return self.book.owed(page.ref, page.channels)
        return self._step(page)

    def _is_over(self, page: Page) -> bool:
        """End a page of which all is well by now; return whether it has ended.

        Senders see to that as they tell of the last repair. A page that nobody was told of has no
        sender, and must not be told when its mute ends or its hours begin.
        """
        if page.lead.state != "resolved":
            return False
        story = self.closing.story(page.ref, shared=True)
        return story is None or story.page.state == "resolved"

    def _step(self, page: Page) -> frozenset[str]:
        draft = Draft(self.book, self.policy(), self.clock())
        due = [step for step in page.steps if step.at <= draft.now]
        if not due:  # a clock that is ahead of ours sent it early
            plan_steps(self.timers, page, draft.now)
            return frozenset()
        draft.know(page)
        changed = pages.stepped(page, (step for step in page.steps if step not in due))
        for step in due:
            changed = self._taken(draft, changed, step)
        draft.change(changed)
        commit = draft.commit()
        self.book.commit(commit)
        for moved in draft.planned:
            plan_steps(self.timers, moved, draft.now)
        groups = frozenset(notice.group for notice in commit.notices)
        if any(step.kind == "settle" for step in due):
            groups |= self._settled(changed)
        return groups

    def _taken(self, draft: Draft, page: Page, step: Step) -> Page:
        match step.kind:
            case "look":
                return self._looked(draft, page)
            case "begin":
                return self._began(draft, page, step)
            case "escalate":
                return self._escalated(draft, page, step)
            case "repeat":
                return self._repeated(draft, page, step)
            case _:  # settle
                return self._looks_quiet(draft, page)

    def _looked(self, draft: Draft, page: Page) -> Page:
        """Tell a muted page once its mute is over; until then look again."""
        mute = mute_for(draft, page.lead)
        if mute is not None:
            rest = (*page.steps, pages.look_again(mute, draft.now))
            return pages.stepped(page.model_copy(update={"muted": mute}), rest)
        why = page.muted.kind if page.muted else "mute"
        page = self._led_by_the_gravest(draft, page.model_copy(update={"muted": None}))
        want = wanted(page.lead, draft.policy, draft.now)
        page = pages.told(page, want.channels)
        page = pages.stepped(page, (*page.steps, *want.steps))
        told = pages.names(want.channels) or "nobody yet"
        return pages.said(page, f"its {why} is over, told to {told}", draft.now)

    def _led_by_the_gravest(self, draft: Draft, page: Page) -> Page:
        """Let the gravest that is open lead: while a page is muted nobody takes its lead."""
        broken = [each for each in self.book.members(page.ref) if each.state == "open"]
        known = self.book.load({each.fingerprint for each in broken})
        there = [each for each in known.values() if each.page == page.ref]
        if page.lead.state == "open":
            there.append(page.lead)
        lead = max(there, key=gravity, default=page.lead)
        if lead.fingerprint == page.lead.fingerprint or (
            page.lead.state == "open" and gravity(lead) == gravity(page.lead)
        ):
            return page
        return led(draft, page, lead, Wanted())

    def _looks_quiet(self, draft: Draft, page: Page) -> Page:
        """See to it that faults of a job's code are looked at until all of them have stopped."""
        if page.lead.entity.aspect != APPLICATION:
            return page
        again = Step(kind="settle", at=draft.now + pages.QUIET / 4)
        return pages.stepped(page, (*page.steps, again))

    def _began(self, draft: Draft, page: Page, step: Step) -> Page:
        fresh = self._named(draft, page, step)
        if not fresh:
            return page
        what = f"its hours began, told to {pages.names(fresh)}"
        return pages.said(pages.told(page, fresh), what, draft.now)

    def _escalated(self, draft: Draft, page: Page, step: Step) -> Page:
        if page.state == "acked":
            return page
        fresh = self._named(draft, page, step)
        words = pages.names(fresh) or ", ".join(step.channels)
        what = f"nobody acknowledged it: escalated to {words}"
        return pages.said(pages.told(page, fresh), what, draft.now, loud=True)

    def _repeated(self, draft: Draft, page: Page, step: Step) -> Page:
        if page.state == "acked":
            return page
        later = step.model_copy(update={"at": draft.now + timedelta(seconds=step.every_s)})
        page = pages.stepped(page, (*page.steps, later))
        hours, minutes = divmod((draft.now - page.opened_at) // timedelta(minutes=1), 60)
        since = f"{hours} h {minutes} min" if hours else f"{minutes} min"
        return pages.said(page, f"still open after {since}", draft.now, loud=True)

    def _named(self, draft: Draft, page: Page, step: Step) -> tuple[Channel, ...]:
        """Return the channels of a step that were not told yet.

        Where one is not configured any more, whoever is to be told by now comes in its place: a
        channel that was renamed must not leave a page with nobody.
        """
        named = set(step.channels)
        if not named <= {channel.name for channel in draft.policy.channels}:
            want = wanted(page.lead, draft.policy, draft.now)
            named |= {channel.name for channel in want.channels}
            further = (each for each in want.steps if each.kind == step.kind == "escalate")
            named |= {name for each in further for name in each.channels}
        known = (each for each in draft.policy.channels if each.name in named)
        return pages.fresh_of(page, known)

    def _settled(self, page: Page) -> frozenset[str]:
        """End a page that stayed well, and faults of a job's code that stopped."""
        groups = self.ending.end(page.ref, QUIET_WORDS, only=self._is_quiet)
        concluded = self.closing.conclude(page.ref)
        return groups | (self.book.mark(concluded, self.clock()) if concluded else frozenset())

    def _is_quiet(self, incident: Incident) -> bool:
        quiet = self.clock() - incident.last_at >= pages.QUIET
        return incident.entity.aspect == APPLICATION and quiet
