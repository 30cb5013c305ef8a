from hypothesis import given
from hypothesis import strategies as st

from reflexarc.agent.backoff import FIRST_DELAY, LONGEST_DELAY, delay


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_delay_is_never_zero_and_never_longer_than_half_a_minute(
    failures: int, chance: float
) -> None:
    assert FIRST_DELAY / 2 <= delay(failures, chance) <= LONGEST_DELAY


def test_delay_doubles() -> None:
    assert [delay(failures, 0.0) for failures in (1, 2, 3, 20)] == [0.125, 0.25, 0.5, 15.0]
