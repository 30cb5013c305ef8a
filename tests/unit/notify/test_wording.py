from datetime import datetime, timedelta, timezone

import pytest

from reflexarc.events.gpu_faults import Job
from reflexarc.events.signal import Entity
from reflexarc.notify import wording
from tests.support.notices import NOW, at, incident, page


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 ms"),
        (84.4, "84 ms"),
        (3_210, "3.2 s"),
        (65_000, "1 min 5 s"),
        (7_380_000, "2 h 3 min"),
        (900_000, "15 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_durations_read_in_the_two_units_that_matter(milliseconds: float, words: str) -> None:
    assert wording.duration(milliseconds) == words


def test_a_span_is_never_negative() -> None:
    assert wording.span(at(5), NOW) == "0 ms"


def test_the_first_hours_of_the_calendar_are_still_printed() -> None:
    broken = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))

    assert wording.utc(broken) == "0001-01-01 00:00:00+05:00"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, ""),
        (7_380.0, "the node's clock is 2 h 3 min ahead: times shown are ours"),
        (-90.0, "the node's clock is 1 min 30 s behind: times shown are ours"),
        (float("nan"), "the node's clock makes no sense: times shown are ours"),
    ],
)
def test_a_clock_that_is_off_is_told(seconds: float, words: str) -> None:
    assert wording.skew(incident(clock_skew_s=seconds)) == words


def test_a_clock_that_a_mark_tells_of_is_told_once() -> None:
    marked = incident(clock_skew_s=7_380.0, marks=("node clock is 2 h 3 min ahead",))

    assert wording.skew(marked) == ""


def test_the_owner_of_the_job_acts_on_a_fault_of_the_job() -> None:
    job = Job(owner="alice")

    assert wording.who_acts(incident(owner="oncall", job=job)) == "on-call"
    assert wording.who_acts(incident(owner="job", job=job)) == "the job's owner (alice)"
    assert wording.who_acts(incident(owner="job")) == "the job's owner"


def test_absurd_counts_stay_short() -> None:
    assert wording.times(800_000) == "800,000 times"
    assert wording.times(10**4_000) == "over 1,000,000,000,000 times"
    assert wording.times(1) == "once"


def test_things_are_named_as_people_name_them() -> None:
    fabric = incident(entity=Entity(kind="fabric", device="rack-3"))

    assert wording.place(incident()) == "GPU 0000:01:00 on node-7"
    assert wording.place(fabric) == "NVLink fabric rack-3"


def test_nodes_ports_and_racks_are_named_without_stutter() -> None:
    things = (
        Entity(kind="node", node="node-7", aspect="thermal"),
        Entity(kind="port", node="node-7", device="mlx5_0/1", aspect="network"),
        Entity(kind="rack", device="r12", aspect="thermal"),
    )

    assert [wording.place(incident(entity=thing)) for thing in things] == [
        "node node-7",
        "network port mlx5_0/1 on node-7",
        "rack r12",
    ]


def test_work_is_told_as_far_as_it_is_known() -> None:
    assert wording.work(Job(rank="3", nodes="n[1-4]", ended=True)) == (
        "rank 3, nodes n[1-4], ended"
    )
    assert wording.work(Job(name="train")) == ""


def test_a_sign_tells_how_much_to_hurry_and_whether_somebody_does() -> None:
    assert [
        f"{wording.page_sign(about)}{wording.standing(about)}"
        for about in (
            page(severity="warning"),
            page(),
            page(state="closing"),
            page(state="acked"),
            page(state="closing", acked_at=at(3)),
            page(state="resolved", acked_at=at(3)),
        )
    ] == ["🟠", "🔴", "🔴", "👀Acked", "👀Acked", "✅Resolved"]


def test_so_many_things_are_told_in_the_right_number() -> None:
    assert [
        wording.things("gpu", 1),
        wording.things("gpu", 5_000),
        wording.things("nvswitch", 2),
        wording.things("rack", 2),
    ] == ["1 GPU", "5,000 GPUs", "2 NVSwitches", "2 racks"]
