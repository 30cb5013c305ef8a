"""What happens to a page as time goes by."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reflexarc.events.action import Timer
from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import PageRef
from reflexarc.events.notice import Channel
from reflexarc.events.page import Page, Silence
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity
from reflexarc.incidents.config import default_policy
from reflexarc.incidents.document import Escalation, Hours, Match, Route
from reflexarc.incidents.model import Policy
from reflexarc.incidents.ports import Conflict, Stale
from reflexarc.incidents.races import TRIES
from reflexarc.kernel.errors import Unavailable
from tests.support.desk import Desk
from tests.support.incidents import NOW, at, clear, signal

MANAGER = Channel(name="manager", kind="pagerduty")
APP = Entity(kind="gpu", node="node-7", device="0000:3b:00", aspect="application")


def policy(**fields: object) -> Policy:
    base = default_policy("C0PAGES")
    route = Route(name="all", channels=("pagerduty", "slack"), **fields)
    return replace(base, channels=(*base.channels, MANAGER), routes=(route,))


def names(page: Page) -> list[str]:
    return [channel.name for channel in page.channels]


def timer_of(page: Page) -> Timer:
    return Timer(page=page.ref, timer=page.timer, due_at=page.due_at or NOW)


ESCALATE = {
    "escalate": (
        Escalation(after=timedelta(minutes=10), channels=("manager",)),
        Escalation(after=timedelta(minutes=30), channels=("manager",)),
    )
}


def test_nobody_acks_and_further_channels_are_told_loudly() -> None:
    desk = Desk(policy=policy(**ESCALATE))
    desk.record(signal())
    desk.told()

    desk.forward(minutes=10)
    desk.tick()

    page = desk.page()
    assert names(page) == ["pagerduty", "slack", "manager"]
    assert page.history[-1].what == "nobody acknowledged it: escalated to manager"
    assert page.history[-1].loud
    assert desk.behind() == ["manager", "pagerduty", "slack"]
    assert len(desk.wake_ups.woken) == 3

    desk.forward(minutes=20)
    desk.tick()
    assert desk.page().history[-1].what == "nobody acknowledged it: escalated to manager"
    assert (names(desk.page()), desk.page().steps) == (names(page), ())


def test_ack_ends_escalation_and_reminders() -> None:
    desk = Desk(policy=policy(repeat=timedelta(hours=1), **ESCALATE))
    desk.record(signal())
    before = timer_of(desk.page())

    desk.act("ack", desk.page())

    assert desk.page().steps == ()
    desk.forward(minutes=10)
    desk.steps().tick(before)
    assert names(desk.page()) == ["pagerduty", "slack"]


def test_silence_of_a_page_puts_escalation_and_reminders_off_until_it_ends() -> None:
    desk = Desk(policy=policy(repeat=timedelta(hours=4), **ESCALATE))
    desk.record(signal())

    desk.act("silence", desk.page())
    desk.forward(minutes=30)
    desk.tick()
    assert names(desk.page()) == ["pagerduty", "slack"]

    desk.forward(minutes=30)
    desk.tick()
    assert names(desk.page()) == ["pagerduty", "slack", "manager"]
    assert [(step.kind, step.at) for step in desk.page().steps] == [("repeat", at(4 * 3600))]


def test_page_that_grows_graver_under_a_silence_escalates_as_if_there_was_none() -> None:
    desk = Desk(policy=policy(**ESCALATE))
    desk.record(signal(1, cause="xid/63", severity=Severity.WARNING))
    desk.act("silence", desk.page())

    desk.forward(minutes=1)
    desk.record(signal(2, cause="xid/48"))

    assert [step.at for step in desk.page().steps] == [at(660), at(1_860)]


@pytest.mark.parametrize("kind", ["escalate", "repeat"])
def test_step_that_was_left_on_an_acked_page_tells_nobody(kind: str) -> None:
    desk = Desk(policy=policy(repeat=timedelta(hours=1), **ESCALATE))
    desk.record(signal())
    page = desk.page()
    steps = tuple(step for step in page.steps if step.kind == kind)
    left = page.model_copy(update={"state": "acked", "steps": steps})
    desk.book.store.pages[page.scope, page.generation] = left

    desk.forward(hours=2)
    desk.tick()

    assert (desk.page().history, names(desk.page())) == (page.history, names(page))


def test_open_page_is_told_again_at_each_interval() -> None:
    desk = Desk(policy=policy(repeat=timedelta(minutes=45)))
    desk.record(signal())

    for _ in range(3):
        desk.forward(minutes=45)
        desk.tick()

    said = [entry.what for entry in desk.page().history if entry.loud]
    assert said == [
        "still open after 45 min",
        "still open after 1 h 30 min",
        "still open after 2 h 15 min",
    ]


def test_channel_is_told_when_its_hours_begin_if_the_page_is_still_open() -> None:
    night = Hours(name="day", start="13:00", end="20:00", days=("sun",))
    base = policy(during="day")
    desk = Desk(policy=replace(base, hours={"day": night}))
    desk.record(signal())
    assert (names(desk.page()), desk.behind()) == ([], [])
    assert "pagerduty, slack from 2026-03-01 13:00 UTC" in desk.page().history[0].what

    desk.forward(hours=1)
    desk.tick()

    assert names(desk.page()) == ["pagerduty", "slack"]
    assert desk.page().history[-1].what == "its hours began, told to pagerduty, slack"


def test_page_that_was_repaired_before_the_hours_begin_is_told_to_nobody() -> None:
    day = Hours(name="day", start="13:00", end="20:00", days=("sun",))
    desk = Desk(policy=replace(policy(during="day"), hours={"day": day}))
    desk.record(signal(1))
    before = timer_of(desk.page())
    desk.record(clear(2))

    desk.forward(hours=1)
    desk.steps().tick(before)

    assert (desk.page().state, desk.page().channels, desk.behind()) == ("resolved", (), [])


def test_channel_that_was_told_meanwhile_is_not_told_again_when_hours_begin() -> None:
    day = Hours(name="day", start="13:00", end="20:00", days=("sun",))
    desk = Desk(policy=replace(policy(during="day"), hours={"day": day}))
    desk.record(signal(1))
    page = desk.page()
    told = page.model_copy(update={"channels": desk.policy.channels})
    desk.book.store.pages[page.scope, page.generation] = told

    desk.forward(hours=1)
    desk.tick()

    assert desk.page().history == page.history


def renamed(desk: Desk, **fields: object) -> Policy:
    """Return the policy with every channel under another name."""
    return replace(
        desk.policy,
        channels=tuple(
            each.model_copy(update={"name": f"new-{each.name}"}) for each in desk.policy.channels
        ),
        routes=(Route(channels=("new-pagerduty", "new-slack"), **fields),),
    )


def test_page_whose_channels_were_renamed_before_their_hours_began_is_told_all_the_same() -> None:
    day = Hours(name="day", start="13:00", end="20:00", days=("sun",))
    desk = Desk(policy=replace(policy(during="day"), hours={"day": day}))
    desk.record(signal())
    desk.policy = renamed(desk, during="day")

    desk.forward(hours=1)
    desk.tick()

    assert names(desk.page()) == ["new-pagerduty", "new-slack"]


def test_escalation_to_a_channel_that_was_renamed_reaches_whoever_is_named_now() -> None:
    desk = Desk(policy=policy(**ESCALATE))
    desk.record(signal())
    [first, *_] = ESCALATE["escalate"]
    later = first.model_copy(update={"channels": ("new-manager",)})
    desk.policy = renamed(desk, escalate=(later,))

    desk.forward(minutes=10)
    desk.tick()

    told = ["pagerduty", "slack", "new-pagerduty", "new-slack", "new-manager"]
    assert names(desk.page()) == told


def silence(minutes: int) -> Silence:
    return Silence(
        id="01",
        labels={"node": "node-7"},
        starts_at=NOW,
        ends_at=at(60 * minutes),
        author="ana",
        reason="tests",
        created_at=NOW,
    )


def test_silence_that_ends_tells_what_is_still_open() -> None:
    desk = Desk(policy=policy(**ESCALATE))
    desk.silences.put(silence(30))
    desk.record(signal())
    assert desk.page().due_at == at(60)

    desk.forward(seconds=61)
    desk.tick()
    assert (desk.page().channels, desk.page().due_at) == ((), at(121))

    desk.now = at(60 * 30)
    desk.tick()
    page = desk.page()
    assert (names(page), page.muted) == (["pagerduty", "slack"], None)
    assert page.history[-1].what == "its silence is over, told to pagerduty, slack"
    assert [step.kind for step in page.steps] == ["escalate", "escalate"]
    assert desk.behind() == ["pagerduty", "slack"]


def test_silence_that_ends_when_nobody_is_to_be_told_any_more_says_so() -> None:
    desk = Desk()
    desk.silences.put(silence(1))
    desk.record(signal())
    desk.policy = replace(desk.policy, routes=())

    desk.forward(minutes=1)
    desk.tick()

    assert desk.page().history[-1].what == "its silence is over, told to nobody yet"


def gpu(node: str) -> Entity:
    return Entity(kind="gpu", node=node, device="0000:3b:00")


@pytest.mark.parametrize("lead_is_well", [False, True])
def test_gravest_of_a_silenced_page_decides_whom_its_end_is_told_to(*, lead_is_well: bool) -> None:
    desk = Desk()
    desk.silences.put(silence(30).model_copy(update={"labels": {"node": "n*"}}))
    mild = {"cause": "xid/63", "severity": Severity.WARNING}
    desk.record(signal(1, entity=gpu("n1"), **mild))  # type: ignore[arg-type]
    desk.record(signal(2, entity=gpu("n2"), cause="xid/48"))
    desk.record(signal(3, entity=gpu("n3"), **mild))  # type: ignore[arg-type]
    if lead_is_well:
        desk.record(clear(4, entity=gpu("n1")))

    desk.now = at(60 * 30)
    desk.tick()

    page = desk.page()
    assert (page.lead.entity.node, names(page)) == ("n2", ["pagerduty", "slack"])
    assert {member.entity.node for member in desk.members(page)} == {"n1", "n3"}


def test_first_of_equals_keeps_the_lead_when_a_mute_ends() -> None:
    desk = Desk()
    desk.silences.put(silence(30).model_copy(update={"labels": {"node": "n*"}}))
    desk.record(*(signal(n, entity=gpu(f"n{n}")) for n in (1, 2)))

    desk.now = at(60 * 30)
    desk.tick()

    assert desk.page().lead.entity.node == "n1"


def test_page_that_lost_its_mute_otherwise_is_told() -> None:
    desk = Desk()
    desk.silences.put(silence(30))
    desk.record(signal())
    page = desk.page()
    bare = page.model_copy(update={"muted": None})
    desk.book.store.pages[page.scope, page.generation] = bare
    desk.silences.store.silences.clear()

    desk.forward(minutes=1)
    desk.tick()

    assert desk.page().history[-1].what == "its mute is over, told to pagerduty, slack"


def test_timer_that_is_stale_does_nothing() -> None:
    desk = Desk(policy=policy(**ESCALATE))
    desk.record(signal())
    page = desk.page()
    desk.forward(minutes=10)

    desk.steps().tick(Timer(page=page.ref, timer=page.timer - 1, due_at=NOW))
    desk.steps().tick(Timer(page=PageRef(scope="f" * 32, generation=1), timer=1, due_at=NOW))

    assert desk.page() == page


def test_timer_that_comes_early_is_planned_again() -> None:
    desk = Desk(policy=policy(**ESCALATE))
    desk.record(signal())
    desk.timers.planned.clear()

    desk.forward(minutes=9)
    desk.steps().tick(timer_of(desk.page()))

    assert [timer.due_at for timer in desk.timers.planned] == [at(600)]
    assert names(desk.page()) == ["pagerduty", "slack"]


def test_timer_that_cannot_be_planned_is_left_to_the_watchdog() -> None:
    class Broken:
        def plan(self, timer: Timer, now: object) -> None:
            raise Unavailable(f"no queue for {timer} at {now}")

    desk = Desk(policy=policy(**ESCALATE))

    assert desk.service(timers=Broken()).record([signal()]) == frozenset()


def test_step_far_away_needs_no_message() -> None:
    desk = Desk(policy=policy(repeat=timedelta(hours=4)))

    desk.record(signal())

    assert desk.timers.planned == []


def test_races_of_a_step_are_run_again_and_given_back_when_all_are_lost() -> None:
    desk = Desk(policy=policy(**ESCALATE))
    desk.record(signal())
    desk.forward(minutes=10)
    desk.stubborn.failures = [Stale("moved")]
    desk.tick()
    assert names(desk.page()) == ["pagerduty", "slack", "manager"]

    desk.forward(minutes=20)
    desk.stubborn.failures = [Conflict("busy")] * TRIES
    with pytest.raises(Conflict, match="races"):
        desk.tick()


def fault(number: int, seconds: float = 0) -> object:
    return signal(
        number,
        cause="xid/31",
        severity=Severity.WARNING,
        owner="job",
        entity=APP,
        job=Job(id="4711"),
        seconds=seconds,
    )


def test_application_fault_ends_an_hour_after_it_stopped() -> None:
    desk = Desk()
    desk.record(fault(1))  # type: ignore[arg-type]
    desk.forward(minutes=50)
    desk.record(fault(2, seconds=3_000))  # type: ignore[arg-type]

    desk.forward(minutes=10)
    desk.tick()
    assert desk.page().state == "open"

    while desk.now < at(3_000 + 3_600):
        desk.forward(minutes=15)
        desk.tick()
    page = desk.page()
    assert (page.state, page.lead.marks) == ("resolved", ("no further fault for an hour",))


def test_fault_of_a_gpu_does_not_end_because_it_is_quiet() -> None:
    desk = Desk()
    desk.record(signal())
    page = desk.page()

    desk.forward(days=3)
    desk.ending().end(page.ref, "quiet", only=lambda _: False)

    assert desk.page().state == "open"


def test_flapping_page_that_breaks_again_before_it_settles_stays_open() -> None:
    desk = Desk()
    for number in range(3):
        desk.record(signal(10 + 2 * number))
        desk.record(clear(11 + 2 * number))
    desk.record(signal(20))

    desk.forward(minutes=11)
    desk.tick()

    assert desk.pages()[-1].state == "open"


def test_route_without_an_incident_plans_nothing() -> None:
    desk = Desk(policy=replace(policy(), routes=(Route(match=Match(), channels=("slack",)),)))
    desk.record(signal())

    desk.tick()

    assert desk.page().steps == ()


def two_silenced() -> Desk:
    """Return a desk with one muted page of two incidents."""
    desk = Desk()
    desk.silences.put(silence(30).model_copy(update={"labels": {"cause": "xid/79"}}))
    other = Entity(kind="gpu", node="node-8", device="0000:3b:00")
    desk.record(signal(1), signal(2, entity=other))
    assert (len(desk.members(desk.page())), desk.page().channels) == (1, ())
    desk.record(clear(3))
    desk.record(clear(4, entity=other))
    return desk


def test_muted_page_whose_last_member_was_repaired_is_told_to_nobody_when_its_mute_ends() -> None:
    desk = two_silenced()

    desk.now = at(60 * 30)
    desk.tick()

    assert (desk.page().state, desk.page().channels, desk.behind()) == ("resolved", (), [])


def test_muted_page_with_something_broken_is_told_though_its_lead_is_well() -> None:
    desk = two_silenced()
    desk.record(signal(5, entity=Entity(kind="gpu", node="node-8", device="0000:3b:00")))

    desk.now = at(60 * 30)
    desk.tick()

    assert names(desk.page()) == ["pagerduty", "slack"]


def test_muted_page_that_was_shut_by_somebody_who_died_ends_at_the_next_look() -> None:
    desk = Desk()
    desk.silences.put(silence(30))
    desk.record(signal(1))

    def die() -> None:
        raise Unavailable("died")

    desk.stubborn.after["commit"] = [die]
    desk.service().record([clear(2)])
    assert desk.page().state == "closing"

    desk.forward(minutes=1)
    desk.tick()

    assert (desk.page().state, desk.behind()) == ("resolved", [])


def test_page_that_is_over_when_a_step_is_due_wakes_those_who_were_told() -> None:
    desk = Desk(policy=policy(**ESCALATE))
    desk.record(signal(1))
    desk.told()

    def die() -> None:
        raise Unavailable("died")

    desk.stubborn.after["commit"] = [die]
    desk.service().record([clear(2)])

    desk.forward(minutes=10)
    desk.tick()

    assert (desk.page().state, names(desk.page())) == ("resolved", ["pagerduty", "slack"])
    assert len(desk.wake_ups.woken) == 2
