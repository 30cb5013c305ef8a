"""An answer is worked out once for each value, and memory stays bounded."""

import pytest

from reflexarc.telemetry.plan.memo import LONGEST, REMEMBERED, Memo


class Counted:
    """Works out the length of a value, and counts how often."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, raw: bytes) -> int:
        self.asked.append(raw)
        if raw == b"bad":
            raise ValueError(raw)
        return len(raw)


def test_an_answer_is_worked_out_once() -> None:
    counted = Counted()
    memo = Memo(counted)

    assert [memo[b"chat"], memo[b"chat"], memo[b""], memo[b"chat"]] == [4, 4, 0, 4]
    assert counted.asked == [b"chat", b""]


def test_that_there_is_no_value_is_remembered_too() -> None:
    memo: Memo[bytes | None, bool] = Memo(lambda raw: raw is None)

    assert memo[None]
    assert memo == {None: True}


def test_an_error_is_raised_each_time() -> None:
    counted = Counted()
    memo = Memo(counted)
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            memo[b"bad"]

    assert counted.asked == [b"bad", b"bad"]


def test_a_long_value_is_not_kept() -> None:
    memo = Memo(Counted())

    assert memo[b"x" * LONGEST] == LONGEST
    assert memo[b"x" * (LONGEST + 1)] == LONGEST + 1
    assert list(memo) == [b"x" * LONGEST]


def test_a_number_of_any_size_is_kept() -> None:
    memo: Memo[int, str] = Memo(str)

    assert memo[2**63] == str(2**63)
    assert 2**63 in memo


def test_all_is_forgotten_where_too_many_values_came() -> None:
    memo: Memo[int, int] = Memo(lambda raw: -raw)

    answers = [memo[number] for number in range(REMEMBERED + 1)]

    assert answers == [-number for number in range(REMEMBERED + 1)]
    assert memo == {REMEMBERED: -REMEMBERED}
