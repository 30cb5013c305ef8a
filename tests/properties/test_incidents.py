"""What holds for every history of signals, whatever their order, size and number."""

from collections import Counter
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.adapters.memory.incident_book import MemoryIncidentBook
from reflexarc.adapters.memory.queues import MemoryWakeUps
from reflexarc.adapters.memory.store import Store
from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident
from reflexarc.events.notice import Notice
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Order, Signal
from reflexarc.incidents.model import EVENTS_MAX, NOTICES_MAX, Change
from reflexarc.incidents.rules import decide, in_order
from reflexarc.incidents.service import IncidentService
from tests.support.incidents import GPU, NOW, ROUTING, at, signal

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


def play(signals: list[Signal], cuts: set[int]) -> list[Change]:
    changes: list[Change] = []
    incident: Incident | None = None
    for batch in batches(signals, cuts):
        changes.append(decide(incident, in_order(batch), ROUTING, NOW))
        incident = changes[-1].incident
    return changes


def notices(changes: list[Change]) -> list[Notice]:
    return [notice for change in changes for notice in change.notices]


def counted(incident: Incident | None) -> object:
    assert incident is not None
    causes = {(c.cause, c.severity, c.count, c.first_at, c.last_at) for c in incident.causes}
    return incident.count, incident.first_at, incident.last_at, incident.severity, causes


CUTS = st.sets(st.integers(1, 13))


@UNHURRIED
@given(histories(), CUTS)
def test_version_grows_and_generation_never_falls(signals: list[Signal], cuts: set[int]) -> None:
    changes = play(signals, cuts)

    for before, after in pairwise(changes):
        assert after.expected_version == before.incident.version
        assert after.incident.version > before.incident.version
        assert after.incident.generation >= before.incident.generation


@UNHURRIED
@given(histories(), CUTS)
def test_no_channel_is_triggered_twice_in_a_generation(
    signals: list[Signal], cuts: set[int]
) -> None:
    triggers = Counter(
        (notice.incident.generation, notice.channel.name)
        for notice in notices(play(signals, cuts))
        if notice.action == "trigger"
    )

    assert all(number == 1 for number in triggers.values())


@UNHURRIED
@given(histories(), CUTS)
def test_updates_and_resolves_follow_a_trigger_and_nothing_follows_a_resolve(
    signals: list[Signal], cuts: set[int]
) -> None:
    told: dict[tuple[int, str], list[str]] = {}
    for notice in sorted(notices(play(signals, cuts)), key=lambda notice: notice.row):
        key = notice.incident.generation, notice.channel.name
        told.setdefault(key, []).append(notice.action)

    for actions in told.values():
        assert actions[0] == "trigger"
        assert set(actions[1:-1]) <= {"update"}
        assert "trigger" not in actions[1:]


@UNHURRIED
@given(histories(), CUTS)
def test_rows_are_distinct_and_in_their_true_order(signals: list[Signal], cuts: set[int]) -> None:
    rows = [(notice.channel.name, notice.row) for notice in notices(play(signals, cuts))]

    assert len(set(rows)) == len(rows)
    for name in ("slack", "pagerduty"):
        mine = [row for channel, row in rows if channel == name]
        assert mine == sorted(mine)


@UNHURRIED
@given(histories(), CUTS)
def test_people_know_the_final_state(signals: list[Signal], cuts: set[int]) -> None:
    changes = play(signals, cuts)
    final = changes[-1].incident
    newest = {
        notice.channel.name: notice.action
        for notice in notices(changes)
        if notice.incident.generation == final.generation
    }

    assert set(newest) == set(final.channels)
    resolved = {action == "resolve" for action in newest.values()}
    assert resolved <= {final.state == "resolved"}


@UNHURRIED
@given(fault_batches(), st.randoms(use_true_random=False), CUTS)
def test_counts_of_a_boot_do_not_depend_on_the_order_of_arrival(
    signals: list[Signal], random: Random, cuts: set[int]
) -> None:
    shuffled = list(signals)
    random.shuffle(shuffled)

    straight, other = play(signals, set())[-1], play(shuffled, cuts)[-1]

    assert counted(straight.incident) == counted(other.incident)


@UNHURRIED
@given(histories(), CUTS, CUTS)
def test_recording_again_changes_nothing(
    signals: list[Signal], cuts: set[int], again: set[int]
) -> None:
    store = Store()
    recorder = IncidentService(
        book=MemoryIncidentBook(store),
        wake_ups=MemoryWakeUps(),
        routing=lambda: ROUTING,
        clock=lambda: NOW,
    )
    for batch in batches(signals, cuts):
        recorder.record(batch)
    incidents, rows = dict(store.incidents), {key: dict(row) for key, row in store.rows.items()}

    for batch in batches(signals, again):
        assert recorder.record(batch) == frozenset()

    assert store.incidents == incidents
    assert store.rows == rows


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

    change = decide(None, in_order(hostile), ROUTING, NOW)

    assert len(change.incident.model_dump_json(by_alias=True).encode()) < DOCUMENT_MAX


@UNHURRIED
@given(st.integers(1, 60))
def test_flapping_inside_a_batch_owes_a_bounded_number_of_rows(flaps: int) -> None:
    signals = [
        signal(number, seq=number, kind="clear" if number % 2 else "fire", seconds=number)
        for number in range(flaps)
    ]

    change = decide(None, in_order(signals), ROUTING, NOW)

    assert len(change.notices) <= 4 * len(ROUTING.channels)
    assert EVENTS_MAX + 1 + NOTICES_MAX == 100


@UNHURRIED
@given(st.permutations(range(6)))
def test_a_boot_is_read_in_sequence_whatever_the_arrival(arrival: list[int]) -> None:
    signals = [
        signal(number, seq=number, kind="clear" if number == 5 else "fire", seconds=-number)
        for number in arrival
    ]

    change = decide(None, in_order(signals), ROUTING, at(0))

    assert (change.incident.state, change.incident.count) == ("resolved", 5)
    assert change.incident.fingerprint == GPU.fingerprint
