"""The deployed handlers through bad nights: whatever dies, doubles, waits or is lost, people know.

A state machine chooses what happens and what goes wrong on the way; when it is over, all that is
left is delivered and every promise checked (tests/support/dawn.py). Then each safeguard of the
stores is taken away, and nights of dice must show what it was for.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from reflexarc.adapters.dynamodb import lease, notice_rows
from reflexarc.adapters.dynamodb.outbox import DynamoOutbox
from reflexarc.adapters.dynamodb.page_rows import Writes
from reflexarc.events.notice import Notice
from reflexarc.events.page import Page
from reflexarc.incidents import pages
from reflexarc.incidents.closing import Closing
from reflexarc.incidents.service import IncidentService
from reflexarc.notify import rules
from tests.support.aws import aws, dynamodb, make_table
from tests.support.cloud import TROUBLES, Cloud
from tests.support.dawn import Dawn
from tests.support.night import ACTS, GPUS, NODES, QUEUES, Night
from tests.support.wired import FLEET, TABLE

Mutant = Callable[[pytest.MonkeyPatch], None]
# What one node may say at once: a lost GPU, worn memory, memory that gets worse, a broken link.
SAYS = ((79,), (63,), (48,), (74,), (63, 48))
ON = ((0,), (1,), (0, 1))
WAITS = (1, 7, 20, 61)
SEEDS, LONG = range(40), range(80)


@dataclass(frozen=True)
class Mood:
    """What goes wrong in a night, how often in one invocation, and what happens how often."""

    troubles: tuple[str, ...] = TROUBLES
    how_many: tuple[int, ...] = (0, 0, 1, 1, 2, 3)
    weights: tuple[int, ...] = (6, 4, 1, 16, 2, 3, 2, 2, 3)


ANYTHING = Mood()
# Many work at once; what they work on was sent meanwhile.
RACES = Mood(("other", "other", "twin"), (1, 2, 4), (10, 6, 0, 12, 0, 1, 1, 0, 1))
DEATHS = Mood(("die", "lost", "other"), (1, 1, 2), (8, 5, 0, 16, 1, 1, 1, 0, 3))
STEPS = 60

_queues, _nodes, _gpus = st.sampled_from(QUEUES), st.sampled_from(range(NODES)), st.sampled_from(ON)
_picks = st.integers(0, 20)
_troubles = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(TROUBLES)), max_size=3)


class Nights(RuleBasedStateMachine):
    """Any night: what may happen in it is what `Night` has methods for."""

    @initialize(node=_nodes, gpus=_gpus, causes=st.sampled_from(SAYS))
    def begin(self, node: int, gpus: Sequence[int], causes: Sequence[int]) -> None:
        """Begin with a fault: without one nothing ever happens."""
        self.night = Night(Cloud())
        self.opened = self.night.cloud.open()
        self.opened.__enter__()
        self.night.fault(node, gpus, causes, 1)
        self.night.deliver("gpu-faults", 0, 1, ())

    @rule(node=_nodes, gpus=_gpus, causes=st.sampled_from(SAYS), count=st.sampled_from((1, 3)))
    def fault(self, node: int, gpus: Sequence[int], causes: Sequence[int], count: int) -> None:
        self.night.fault(node, gpus, causes, count)

    @rule(node=_nodes, gpu=st.sampled_from(range(GPUS)))
    def repair(self, node: int, gpu: int) -> None:
        self.night.repair(node, gpu)

    @rule(node=_nodes)
    def reboot(self, node: int) -> None:
        self.night.reboot(node)

    @rule(queue=_queues, pick=_picks, number=st.integers(1, 5), troubles=_troubles)
    def deliver(self, queue: str, pick: int, number: int, troubles: list[tuple[int, str]]) -> None:
        self.night.deliver(queue, pick, number, troubles)

    @rule(pick=_picks, number=st.integers(1, 5), troubles=_troubles)
    def deliver_any(self, pick: int, number: int, troubles: list[tuple[int, str]]) -> None:
        due = [queue for queue in QUEUES if self.night.cloud.due(queue)]
        if due:
            self.night.deliver(due[pick % len(due)], pick, number, troubles)

    @rule(pick=_picks, act=st.sampled_from(ACTS), person=st.sampled_from(("alice", "bob")))
    def click(self, pick: int, act: str, person: str) -> None:
        self.night.click(pick, act, person, ())

    @rule(pick=_picks, act=st.sampled_from(ACTS), troubles=_troubles)
    def click_in_trouble(self, pick: int, act: str, troubles: list[tuple[int, str]]) -> None:
        self.night.click(pick, act, "alice", troubles)

    @rule(troubles=_troubles)
    def tick(self, troubles: list[tuple[int, str]]) -> None:
        self.night.tick(troubles)

    @rule(queue=_queues, pick=_picks)
    def double(self, queue: str, pick: int) -> None:
        self.night.double(queue, pick)

    @rule(queue=_queues, pick=_picks)
    def lose(self, queue: str, pick: int) -> None:
        self.night.lose(queue, pick)

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        self.night.wait(seconds)

    def teardown(self) -> None:
        """Let the trouble stop, and see what people were told."""
        if not hasattr(self, "night"):
            return
        try:
            self.night.morning()
            Dawn(self.night).verify()
        finally:
            self.opened.__exit__(None, None, None)


def test_whatever_goes_wrong_in_a_night_each_page_is_told_once_and_as_it_is() -> None:
    run_state_machine_as_test(
        Nights,
        settings=settings(
            max_examples=300,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def live_through(seed: int, mood: Mood = ANYTHING, *, recording: bool = False) -> Cloud:
    """Let dice decide what happens in a night, and check what people were told."""
    dice, cloud = random.Random(seed), Cloud(recording=recording)
    with cloud.open():
        night = Night(cloud)
        for _ in range(STEPS):
            _happens(night, dice, mood)
        night.morning()
        Dawn(night).verify()
    return cloud


def _happens(night: Night, dice: random.Random, mood: Mood) -> None:
    troubles = [
        (dice.randrange(40), dice.choice(mood.troubles)) for _ in range(dice.choice(mood.how_many))
    ]
    due = [queue for queue in QUEUES if night.cloud.due(queue)]
    happenings: Mapping[str, Callable[[], None]] = {
        "fault": lambda: night.fault(
            dice.randrange(NODES), dice.choice(ON), dice.choice(SAYS), dice.choice((1, 3))
        ),
        "repair": lambda: night.repair(dice.randrange(NODES), dice.randrange(GPUS)),
        "reboot": lambda: night.reboot(dice.randrange(NODES)),
        "deliver": lambda: night.deliver(
            dice.choice(due or QUEUES), dice.randrange(100), dice.randint(1, 5), troubles
        ),
        "tick": lambda: night.tick(troubles),
        "click": lambda: night.click(
            dice.randrange(100), dice.choice(ACTS), dice.choice(("alice", "bob")), troubles
        ),
        "double": lambda: night.double(dice.choice(QUEUES), dice.randrange(100)),
        "lose": lambda: night.lose(dice.choice(QUEUES), dice.randrange(100)),
        "wait": lambda: night.wait(dice.choice(WAITS)),
    }
    [what] = dice.choices(tuple(happenings), weights=mood.weights)
    happenings[what]()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_night_of_dice_ends_well(seed: int) -> None:
    live_through(seed)


@pytest.mark.parametrize("point", range(4, 16))
def test_what_led_a_page_and_joins_it_again_is_one_thing_of_it(point: int) -> None:
    """Two rows of it: one would never be well, and nobody could end the page.

    It joins again where it broke elsewhere meanwhile, as the page was shut: whoever was to see
    whether it was over had died.
    """
    with Cloud().open() as cloud:
        night = Night(cloud)

        def heard(gpu: int, *causes: int, troubles: Sequence[tuple[int, str]] = ()) -> None:
            night.fault(0, (gpu,), causes, 1)
            night.deliver("gpu-faults", 0, 1, troubles)

        heard(0, 48)
        heard(1, 48)
        heard(0, 154, troubles=((point, "die"),))
        heard(0, 74)
        heard(0, 154)
        for queue in ("notify-slack.fifo", "notify-pagerduty.fifo"):
            night.deliver(queue, 0, 10, ())
        heard(0, 48)
        heard(0, 154)
        heard(1, 154)

        night.morning()

        Dawn(night).verify()
        assert {page.state for page in Dawn(night).pages} == {"resolved"}


def test_the_table_in_memory_answers_as_moto_does() -> None:
    """Whatever a night asked of the tables, in its order."""
    asked = live_through(3, recording=True).calls
    with aws():
        client = dynamodb()
        for table in (TABLE, FLEET):
            make_table(client, table)
        for operation, params, answer in asked:
            assert _asked(client, operation, params) == _plain(answer), (operation, params)


def _asked(client: Any, operation: str, params: Mapping[str, Any]) -> Any:
    try:
        return _plain(client._make_api_call(operation, params))
    except ClientError as error:
        return _plain(error)


def _plain(answer: Any) -> Any:
    """Return what an answer says, without what only a service adds."""
    if isinstance(answer, ClientError):
        reasons = [reason["Code"] for reason in answer.response.get("CancellationReasons") or ()]
        return answer.response["Error"]["Code"], reasons, answer.response.get("Item")
    found = {name: answer[name] for name in ("Item", "Items", "Attributes") if answer.get(name)}
    for table, rows in answer.get("Responses", {}).items():
        found[table] = sorted(rows, key=repr)
    return found


def no_version(patch: pytest.MonkeyPatch) -> None:
    """Store an incident or a page whatever it is by now (adapters/dynamodb/page_rows.py)."""

    def careless(writes: Writes, item: Any, _: int) -> Any:
        return {"Put": {"TableName": writes.table, "Item": item}}

    patch.setattr(Writes, "_versioned", careless)


def no_ledger(patch: pytest.MonkeyPatch) -> None:
    """Record an event that was recorded before (adapters/dynamodb/page_rows.py)."""
    ledger = Writes.ledger

    def careless(writes: Writes, commit: Any) -> Any:
        for item in ledger(writes, commit):
            item["Put"].pop("ConditionExpression")
            yield item

    patch.setattr(Writes, "ledger", careless)


def no_stamp(patch: pytest.MonkeyPatch) -> None:
    """Remove a notice that was written anew meanwhile (adapters/dynamodb/notice_rows.py)."""

    def careless(table: str, notice: Notice) -> Any:
        return {"Delete": {"TableName": table, "Key": notice_rows.key_of(notice)}}

    patch.setattr(notice_rows, "removed", careless)


def no_lease(patch: pytest.MonkeyPatch) -> None:
    """Let a lease be over as soon as it is taken (adapters/dynamodb/lease.py)."""
    patch.setattr(lease, "LEASE", timedelta(0))


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """Let two senders work, and either settle for the other (adapters/dynamodb/outbox.py)."""
    no_lease(patch)
    fence = DynamoOutbox._fence

    def open_to_all(outbox: DynamoOutbox, held: Any) -> Any:
        check = fence(outbox, held)["ConditionCheck"]
        check["ConditionExpression"] = "attribute_exists(pk) OR attribute_not_exists(pk)"
        del check["ExpressionAttributeNames"], check["ExpressionAttributeValues"]
        return {"ConditionCheck": check}

    patch.setattr(DynamoOutbox, "_fence", open_to_all)


def no_reconcile(patch: pytest.MonkeyPatch) -> None:
    """Post without looking for what a dead sender may have posted (notify/rules.py)."""
    patch.setattr(rules, "creates", lambda *_: False)


def members_before_closing(patch: pytest.MonkeyPatch) -> None:
    """Read who is ill before the page is shut (incidents/closing.py)."""

    def hasty(closing: Closing, page: Page) -> Page:
        members = closing.book.members(page.ref)
        if page.state != "closing":
            page = closing._store(page, pages.closing(page))
        if page.lead.state == "resolved" and all(each.state == "resolved" for each in members):
            return closing._store(page, pages.resolved(page, len(members), closing.clock()))
        return closing._store(page, pages.reopened(page))

    patch.setattr(Closing, "_concluded", hasty)


def no_second_look(patch: pytest.MonkeyPatch) -> None:
    """Join a page, and never look whether it still took that in (incidents/service.py)."""

    def nobody(*_: Any) -> frozenset[str]:
        return frozenset()

    patch.setattr(IncidentService, "_rehome", nobody)


def races() -> None:
    """Go through nights in which many work at once."""
    _live_through_all(LONG, RACES)


def deaths() -> None:
    """Go through nights in which senders die, and answers are lost."""
    _live_through_all(LONG, DEATHS)


def ends() -> None:
    """Let a page end, and a GPU of another node join it, one at each point of the other's work."""
    for first, second in (("notify-slack.fifo", "gpu-faults"), ("gpu-faults", "notify-slack.fifo")):
        for point in range(60):
            _end_while_one_joins(first, second, point)


def changes() -> None:
    """Let a page be told, and its GPU be repaired at each point of the sender's work."""
    for point in range(60):
        with Cloud(others=("gpu-faults",)).open() as cloud:
            night = Night(cloud)
            night.fault(0, (0,), (48,), 1)
            night.deliver("gpu-faults", 0, 1, ())
            night.fault(0, (0,), (154,), 1)

            night.deliver("notify-slack.fifo", 0, 1, [(point, "other")])

            night.morning()
            Dawn(night).verify()


def _end_while_one_joins(first: str, second: str, point: int) -> None:
    with Cloud(others=(second,)).open() as cloud:
        night = Night(cloud)
        for causes in ((48,), (154,)):
            night.fault(0, (0,), causes, 1)
            night.fault(0, (1,), causes, 1)
            night.deliver("gpu-faults", 0, 1, ())
            night.deliver("gpu-faults", 0, 1, ())
            if causes == (48,):
                night.morning()
        night.fault(1, (0,), (48,), 1)

        night.deliver(first, 0, 1, [(point, "other")])

        night.morning()
        Dawn(night).verify()


MUTANTS: Mapping[Mutant, Callable[[], None]] = {
    no_version: races,
    no_ledger: races,
    no_stamp: changes,
    no_lease: deaths,
    no_fence: deaths,
    no_reconcile: deaths,
    members_before_closing: ends,
    no_second_look: ends,
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_without_it_a_promise_breaks(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)

    with pytest.raises(AssertionError):
        MUTANTS[mutant]()


def _live_through_all(seeds: Sequence[int], mood: Mood) -> None:
    for seed in seeds:
        live_through(seed, mood)


@pytest.mark.parametrize("trouble", [races, deaths, ends, changes])
def test_with_all_of_them_no_promise_breaks(trouble: Callable[[], None]) -> None:
    trouble()
