"""How long to wait after a failed attempt. Pure: the randomness is an argument."""

FIRST_DELAY = 0.25
LONGEST_DELAY = 30.0


def delay(failures: int, chance: float) -> float:
    """Return the seconds to wait after this many failures in a row; `chance` lies in [0, 1).

    The delay doubles up to 30 s. Half of it is jitter, so that ten thousand nodes which lost
    the queue together do not come back together.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    doublings = min(max(failures - 1, 0), 10)
    longest = min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)
    return longest * (0.5 + chance / 2)
