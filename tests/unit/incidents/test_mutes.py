"""Why nobody is told: silences, planned work, and causes that are told already."""

from datetime import timedelta
from typing import Any

import pytest

from reflexarc.events.page import Mute
from reflexarc.events.signal import Entity
from reflexarc.incidents.mutes import asked, holds, mute_of
from tests.support.incidents import NOW, at
from tests.support.policy import broken, policy, silence

NODE = Entity(kind="node", node="node-7")
OTHER = Entity(kind="gpu", node="node-7", device="0000:86:00")
FABRIC: dict[str, Any] = {
    "name": "node-explains-gpus",
    "source": {"causes": ["driver/*"]},
    "target": {"causes": ["xid/*"]},
    "equal": ["node"],
}
SILENT = Mute(
    kind="silence", name="S1", why="night-shift: the riser is being replaced", until=at(3600)
)


def muted(incident: Any = None, held: Any = None, now: Any = NOW, **parts: Any) -> Mute | None:
    return mute_of(incident or broken(), policy(**parts), held or {}, now)


def work(**fields: Any) -> list[dict[str, Any]]:
    """Return planned work on node-7."""
    return [{"name": "riser", "match": {"labels": {"node": "node-7"}}, "reason": "swap"} | fields]


def test_nothing_mutes_by_itself() -> None:
    assert muted() is None


def test_a_silence_mutes_what_has_its_labels_and_says_who_and_why() -> None:
    assert muted(silences=(silence(),)) == SILENT


@pytest.mark.parametrize(
    "unfit",
    [
        {"labels": {"node": "node-8"}},
        {"labels": {"node": "node-7", "xid": "79"}},
        {"expired_by": "day-shift"},
        {"starts_at": at(1)},
        {"ends_at": NOW},
    ],
)
def test_another_label_another_time_or_an_early_end_do_not_mute(unfit: dict[str, Any]) -> None:
    assert muted(silences=(silence(**unfit),)) is None


def test_of_several_silences_the_one_that_ends_last_counts() -> None:
    found = muted(silences=(silence("S1"), silence("S2", lasts=7200), silence("S3", lasts=60)))

    assert found is not None
    assert (found.name, found.until) == ("S2", at(7200))


def test_a_silence_goes_before_planned_work_and_that_before_an_inhibition() -> None:
    parts: dict[str, Any] = {
        "maintenance": work(ends=at(60)),
        "inhibitions": [FABRIC],
    }
    ((_, key),) = asked(broken(), policy(**parts))
    held = {key: frozenset({NODE.fingerprint})}

    kinds = [
        mute.kind
        for mute in (
            muted(held=held, silences=(silence(),), **parts),
            muted(held=held, **parts),
            muted(held=held, inhibitions=[FABRIC]),
        )
        if mute
    ]

    assert kinds == ["silence", "maintenance", "inhibition"]


@pytest.mark.parametrize(
    ("window", "until"),
    [
        ({"ends": at(60)}, at(60)),
        ({"starts": NOW, "ends": at(60)}, at(60)),
        ({"starts": at(1), "ends": at(60)}, None),
        ({"ends": NOW}, None),
        ({}, None),
        ({"during": "sundays"}, at(2 * 3600)),
        ({"during": "sundays", "ends": at(60)}, at(60)),
        ({"during": "sundays", "ends": at(86_400)}, at(2 * 3600)),
        ({"during": "sundays", "starts": at(60)}, None),
        ({"during": "nights"}, None),
        ({"during": "gone"}, None),
    ],
)
def test_planned_work_mutes_while_it_lasts(window: dict[str, Any], until: Any) -> None:
    hours = [
        {"name": "sundays", "days": ["sun"], "start": "10:00", "end": "14:00"},
        {"name": "nights", "start": "22:00", "end": "06:00"},
    ]

    found = muted(maintenance=work(**window), hours=hours)

    assert (found and (found.kind, found.name, found.why, found.until)) == (
        until and ("maintenance", "riser", "swap", until)
    )


def test_planned_work_elsewhere_mutes_nothing() -> None:
    assert (
        muted(broken(entity=Entity(kind="node", node="x")), maintenance=work(ends=at(60))) is None
    )


def test_an_open_source_mutes_its_targets_while_it_lasts() -> None:
    stated = policy(inhibitions=[FABRIC])
    (hold,) = holds(broken("driver/unresponsive", entity=NODE), stated)

    found = mute_of(broken(), stated, {hold.key: frozenset({hold.fingerprint})}, NOW)

    assert found == Mute(
        kind="inhibition",
        name="node-explains-gpus",
        why=f"while incident {NODE.fingerprint[:12]} is open",
    )


def test_another_node_is_not_kept_quiet() -> None:
    stated = policy(inhibitions=[FABRIC])
    (hold,) = holds(broken("driver/unresponsive", entity=NODE), stated)
    elsewhere = broken(entity=Entity(kind="gpu", node="node-8", device="0000:3b:00"))

    ((_, key),) = asked(elsewhere, stated)

    assert key != hold.key


def test_an_incident_never_keeps_itself_quiet() -> None:
    ((_, key),) = asked(broken(), policy(inhibitions=[FABRIC]))
    held = {key: frozenset({broken().fingerprint})}

    assert muted(held=held, inhibitions=[FABRIC]) is None


def test_two_that_are_source_and_target_do_not_keep_each_other_quiet() -> None:
    both = FABRIC | {"source": {"causes": ["xid/*"]}, "target": {}}
    stated = policy(inhibitions=[both])
    one, other = broken(), broken(entity=OTHER)
    held = {hold.key: frozenset({hold.fingerprint}) for hold in holds(other, stated)}

    assert (asked(one, stated), mute_of(one, stated, held, NOW)) == ((), None)


def test_a_label_that_both_lack_is_not_one_that_they_share() -> None:
    stated = policy(inhibitions=[FABRIC | {"equal": ["node", "rack"]}])
    source = broken("driver/absent", entity=NODE)

    assert (holds(source, stated), asked(broken(), stated)) == ((), ())


def test_a_lesser_cause_holds_but_only_the_gravest_is_held() -> None:
    stated = policy(inhibitions=[FABRIC])

    source = broken("node/silent", entity=NODE, others=("driver/absent",))
    target = broken("gpu/lost", others=("xid/79",))

    assert len(holds(source, stated)) == 1
    assert asked(target, stated) == ()


def test_inhibitions_of_two_names_have_holds_of_their_own() -> None:
    stated = policy(inhibitions=[FABRIC, FABRIC | {"name": "again"}])

    keys = [hold.key for hold in holds(broken("driver/absent", entity=NODE), stated)]

    assert len(set(keys)) == len(keys) == 2
    assert keys == [key for _, key in asked(broken(), stated)]


def test_an_end_in_another_zone_is_compared_as_a_moment() -> None:
    late = silence("LATE", ends_at=(NOW + timedelta(hours=2)).isoformat())
    soon = silence("SOON", ends_at="2026-03-01T17:00:00+04:00")

    found = muted(silences=(late, soon))

    assert found is not None
    assert found.name == "LATE"
