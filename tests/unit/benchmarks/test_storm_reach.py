"""What the storm's benchmark takes for told, and for told twice."""

from typing import Any

from tests.benchmarks.storm_reach import shown


def message(ts: str, text: str, thread: str | None = None, part: str = "") -> dict[str, Any]:
    payload = {"key": "k", "part": part} if part else {}
    return {
        "ts": ts,
        "thread_ts": thread,
        "text": "",
        "blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": text}]}],
        "metadata": {"event_payload": payload} if payload else None,
    }


def test_a_node_in_a_root_or_its_thread_is_told() -> None:
    seen = shown([message("1", "`n-1` is lost"), message("2", "also `n-2`", "1")], ["n-1", "n-2"])

    assert (seen.roots, seen.replies) == (1, 1)
    assert seen.named == {"n-1", "n-2"}


def test_a_node_in_a_thread_without_a_root_is_not_told() -> None:
    assert shown([message("2", "`n-1`", "1")], ["n-1"]).named == frozenset()


def test_a_name_that_is_the_beginning_of_another_is_not_told_by_it() -> None:
    assert shown([message("1", "`n-10` n-1")], ["n-1"]).named == frozenset()


def test_a_part_that_stands_there_twice_is_a_duplicate() -> None:
    told = [message("1", "", part="root"), message("2", "", part="root")]

    assert shown(told, []).doubled == ("k root",)
    assert shown([*told[:1], message("3", "", "1", part="list 1")], []).doubled == ()
