"""What holds for every history of signals, whatever their order, size and number."""

from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.events.gpu_faults import Job
from reflexarc.events.notice import row_of
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Order, Signal
from reflexarc.incidents.model import ITEMS_MAX
from reflexarc.incidents.routes import wanted
from tests.support.desk import Desk
from tests.support.incidents import NOW, signal

DOCUMENT_MAX = 100_000
UNHURRIED = settings(deadline=None)  # a busy machine is no failure
CAUSES = st.sampled_from(["xid/13", "xid/48", "xid/63", "xid/79", "xid/95"])
BOOTS = st.sampled_from(["boot-a", "boot-b"])


@st.composite
def faults(draw: st.DrawFn, number: int, boots: st.SearchStrategy[str] = BOOTS) -> Signal:
    seconds = draw(st.integers(-3_600, 3_600))
    seq = draw(st.none() | st.integers(0, 12))
    return signal(
        number,
        cause=draw(CAUSES),
        severity=draw(st.sampled_from(Severity)),
        seq=seq,
        boot=draw(boots),
        seconds=seconds,
        count=draw(st.integers(1, 500)),
        owner=draw(st.sampled_from(["oncall", "job"])),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Signal]:
    """Return faults and clears of one thing as they arrive, some with equal ids."""
    signals = []
    for number in range(draw(st.integers(1, 14))):
        found = draw(faults(draw(st.sampled_from([number, max(0, number - 1)]))))
        kind = draw(st.sampled_from(["fire", "fire", "clear"]))
        signals.append(found.model_copy(update={"kind": kind}))
    return signals


@st.composite
def fault_batches(draw: st.DrawFn) -> list[Signal]:
    """Return faults of one boot: a reboot begins the next generation, and so counts anew."""
    one = st.just("boot-a")
    return [draw(faults(number, one)) for number in range(draw(st.integers(1, 10)))]


def batches(signals: list[Signal], cuts: set[int]) -> list[list[Signal]]:
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(signals)), len(signals)]
    return [signals[start:end] for start, end in pairwise(places)]


def play(signals: list[Signal], cuts: set[int]) -> Desk:
    desk = Desk()
    for batch in batches(signals, cuts):
        desk.record(*batch)
    return desk


def counted(desk: Desk) -> object:
    incident = desk.incident(signal())
    causes = {(c.cause, c.severity, c.count, c.first_at, c.last_at) for c in incident.causes}
    return incident.count, incident.first_at, incident.last_at, incident.severity, causes


CUTS = st.sets(st.integers(1, 13))


@UNHURRIED
@given(histories(), CUTS)
def test_version_grows_and_generation_never_falls(signals: list[Signal], cuts: set[int]) -> None:
    desk = play(signals, cuts)

    writes = [write for commit in desk.stubborn.stored for write in commit.incidents]
    for before, after in pairwise(writes):
        assert after.expected == before.incident.version
        assert after.incident.version > before.incident.version
        assert after.incident.generation >= before.incident.generation


@UNHURRIED
@given(histories(), CUTS)
def test_incident_that_is_open_and_worth_telling_is_on_a_page_that_is_open(
    signals: list[Signal], cuts: set[int]
) -> None:
    desk = play(signals, cuts)

    incident = desk.incident(signal())
    if incident.state == "open" and wanted(incident, desk.policy, NOW).somebody:
        assert incident.page is not None
        home = desk.book.page(incident.page)
        assert home is not None
        assert home.state in {"open", "acked"}
        assert home.lead.fingerprint == incident.fingerprint
        assert home.lead.generation == incident.generation
        told = {channel.name for channel in home.channels}
        assert told >= {each.name for each in wanted(incident, desk.policy, NOW).channels}


@UNHURRIED
@given(histories(), CUTS)
def test_page_whose_incidents_are_all_well_is_over_unless_it_flaps(
    signals: list[Signal], cuts: set[int]
) -> None:
    desk = play(signals, cuts)

    for page in desk.pages():
        well = page.lead.state == "resolved" and not any(
            member.state == "open" for member in desk.members(page)
        )
        assert (page.state == "resolved") == (well and not page.flapping)


@UNHURRIED
@given(histories(), CUTS)
def test_every_channel_is_behind_on_every_page_that_changed(
    signals: list[Signal], cuts: set[int]
) -> None:
    desk = play(signals, cuts)

    owed = {notice.row for rows in desk.book.store.rows.values() for notice in rows.values()}
    due = {row_of(channel, page.ref) for page in desk.pages() for channel in page.channels}
    assert owed == due


@UNHURRIED
@given(fault_batches(), st.randoms(use_true_random=False), CUTS)
def test_counts_of_a_boot_do_not_depend_on_the_order_of_arrival(
    signals: list[Signal], random: Random, cuts: set[int]
) -> None:
    shuffled = list(signals)
    random.shuffle(shuffled)

    assert counted(play(signals, set())) == counted(play(shuffled, cuts))


@UNHURRIED
@given(histories(), CUTS, CUTS)
def test_recording_again_changes_nothing(
    signals: list[Signal], cuts: set[int], again: set[int]
) -> None:
    desk = play(signals, cuts)
    store = desk.book.store
    before = dict(store.incidents), dict(store.pages), dict(store.members)
    rows = {row for found in store.rows.values() for row in found}

    for batch in batches(signals, again):
        desk.record(*batch)

    assert (store.incidents, store.pages, store.members) == before
    assert {row for found in store.rows.values() for row in found} == rows


@settings(deadline=None, max_examples=20)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
    st.lists(CAUSES, min_size=1, max_size=3),
)
def test_document_is_bounded_whatever_the_signals_say(unit: str, causes: list[str]) -> None:
    wide = (unit * 2_000)[:2_000]
    hostile = [
        signal(
            number,
            cause=f"{cause}/{number}/{wide}"[:64],
            severity=list(Severity)[number % 3],
            title=wide,
            meaning=wide,
            action=wide,
            entity=Entity(kind="gpu", node=wide * 2, device=wide * 2, uuid=wide * 2),
            job=Job(id=wide * 2, name=wide * 2, owner=wide * 2, namespace=wide * 2),
            labels={f"{number}-{n}-{wide}": wide * 2 for n in range(30)},
            marks=tuple(f"{n}{wide}" for n in range(99)),
            evidence=(wide,) * 5,
            order=Order(boot_id=wide * 2, seq=number),
            hops=Hops.model_validate({"observed_at": NOW, "unknown": wide}),
        )
        for number, cause in enumerate(causes * 8)
    ]

    desk = Desk()
    desk.record(*hostile)

    [incident] = desk.book.store.incidents.values()
    assert len(incident.model_dump_json(by_alias=True).encode()) < DOCUMENT_MAX
    for page in desk.pages():
        assert len(page.model_dump_json(by_alias=True).encode()) < 2 * DOCUMENT_MAX


@UNHURRIED
@given(st.integers(1, 60))
def test_flapping_inside_a_batch_owes_a_bounded_number_of_rows(flaps: int) -> None:
    signals = [
        signal(number, seq=number, kind="clear" if number % 2 else "fire", seconds=number)
        for number in range(flaps)
    ]

    desk = Desk()
    desk.record(*signals)

    assert len(desk.pages()) <= desk.policy.flaps
    assert max(commit.size for commit in desk.stubborn.commits) <= ITEMS_MAX


@UNHURRIED
@given(st.permutations(range(6)))
def test_a_boot_is_read_in_sequence_whatever_the_arrival(arrival: list[int]) -> None:
    signals = [
        signal(number, seq=number, kind="clear" if number == 5 else "fire", seconds=-number)
        for number in arrival
    ]

    desk = Desk()
    desk.record(*signals)

    incident = desk.incident(signal())
    assert (incident.state, incident.count) == ("resolved", 5)
