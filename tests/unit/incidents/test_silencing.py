"""What a person may silence: something named, for a while, with a reason."""

from datetime import timedelta
from typing import Any

import pytest

from reflexarc.incidents.silencing import covered_by, ended, labels_from, only, silence_of
from reflexarc.kernel.errors import Rejected
from tests.support.incidents import NOW, at
from tests.support.policy import silence


def made(**fields: Any) -> Any:
    values: dict[str, Any] = {
        "labels": {"node": "gpu-7"},
        "lasts": timedelta(hours=2),
        "reason": "riser swap",
        "author": "night-shift",
        "now": NOW,
        "silence_id": "S9",
    }
    return silence_of(**(values | fields))


def test_labels_are_written_as_name_and_value() -> None:
    assert labels_from(["node=gpu-7", "xid=79", "note=a=b", "aspect="]) == {
        "node": "gpu-7",
        "xid": "79",
        "note": "a=b",
        "aspect": "",
    }


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (["node"], "is no label: write it as node=gpu-7"),
        (["=gpu-7"], "is no label"),
        (["node=a", "node=b"], "label node is named twice"),
        (["n" * 129 + "=a"], "is too long"),
        (["node=" + "a" * 257], "is too long"),
        (["\x1b[31m" + "x" * 10_000], "is no label"),
    ],
)
def test_other_labels_are_refused_in_few_words(written: list[str], says: str) -> None:
    with pytest.raises(Rejected, match=says) as refusal:
        labels_from(written)

    assert len(str(refusal.value)) < 250
    assert "\x1b" not in str(refusal.value)


def test_a_silence_begins_now_and_says_who_and_why() -> None:
    new = made(reason="  riser\x07 swap ", author="a" * 300)

    assert (new.id, new.starts_at, new.ends_at, new.created_at) == ("S9", NOW, at(7200), NOW)
    assert new.reason == "riser  swap"
    assert len(new.author) <= 200


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"labels": {}}, "name what to silence"),
        ({"labels": {"node": "*", "rack": "**", "zone": ""}}, "name what to silence"),
        ({"labels": {str(number): "a" for number in range(17)}}, "at most 16 labels"),
        ({"lasts": timedelta(days=30, seconds=1)}, "must end: within 30 days"),
        ({"lasts": timedelta(0)}, "must end"),
        ({"reason": " "}, "say why"),
    ],
)
def test_a_silence_names_something_ends_and_has_a_reason(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(Rejected, match=says):
        made(**fields)


def test_the_longest_silence_is_thirty_days() -> None:
    assert made(lasts=timedelta(days=30)).ends_at == NOW + timedelta(days=30)


@pytest.mark.parametrize(
    ("other", "needed"),
    [
        ({}, False),
        ({"lasts": 7200}, False),
        ({"labels": {"node": "node-7", "xid": "79"}}, True),
        ({"labels": {"node": "node-8"}}, True),
        ({"lasts": 3599}, True),
        ({"starts_at": at(1)}, True),
        ({"expired_by": "day-shift"}, True),
    ],
)
def test_a_silence_is_needed_unless_another_keeps_all_of_it_quiet(
    other: dict[str, Any], *, needed: bool
) -> None:
    there = silence("S0", **other)

    assert covered_by(silence("S1"), [there]) == (None if needed else there)


def test_a_wider_silence_covers_a_narrower_one() -> None:
    narrow = silence("S1", labels={"node": "node-7", "xid": "79"})

    assert covered_by(narrow, [silence("S0")]) == silence("S0")


def test_a_silence_does_not_cover_itself() -> None:
    assert covered_by(silence(), [silence()]) is None


@pytest.mark.parametrize("starts_at", [NOW, at(600)])
def test_whoever_ends_a_silence_is_kept_with_it(starts_at: Any) -> None:
    over = ended(silence(starts_at=starts_at), "day-shift", at(60))

    assert (over.ends_at, over.expired_by, over.author) == (at(60), "day-shift", "night-shift")
    assert over.starts_at <= over.ends_at


def test_what_is_over_cannot_be_ended_again() -> None:
    over = ended(silence(), "day-shift", at(60))

    with pytest.raises(Rejected, match="silence S1 is over already: it ended by day-shift"):
        ended(over, "somebody", at(61))
    with pytest.raises(Rejected, match=r"it ended$"):
        ended(silence(), "somebody", at(3600))


def test_a_silence_is_found_by_its_beginning() -> None:
    there = [silence("01AB"), silence("01AC"), silence("02")]

    assert only("01ab", there).id == "01AB"
    with pytest.raises(Rejected, match="several silences begin with 01A"):
        only("01A", there)
    with pytest.raises(Rejected, match="no silence that begins with 03"):
        only("03", there)


def test_nothing_of_an_id_is_not_the_only_silence() -> None:
    with pytest.raises(Rejected, match="which silence"):
        only(" ", [silence("01AB")])
