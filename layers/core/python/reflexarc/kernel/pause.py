"""A short wait that lets racers drift apart."""

import random
import time


def jittered_pause(attempt: int) -> None:
    """Wait a few milliseconds, longer and more at random after each lost race."""
    time.sleep(random.uniform(0, 0.004 * 2**attempt))  # noqa: S311 - spreads racers, no secret
