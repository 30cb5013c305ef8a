"""Rate limits as token buckets."""

import math
import threading
import time
from collections.abc import Callable


class Limits:
    """One bucket a key: `burst` requests at once, then `rate` a second."""

    def __init__(
        self, rate: float, burst: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def retry_after(self, key: str) -> int:
        """Take one token and return 0, or return the whole seconds until there is one."""
        with self._lock:
            now = self._monotonic()
            tokens, filled_at = self._buckets.get(key, (self._burst, now))
            tokens = min(self._burst, tokens + (now - filled_at) * self._rate)
            if tokens >= 1:
                self._buckets[key] = (tokens - 1, now)
                return 0
            self._buckets[key] = (tokens, now)
            return max(1, math.ceil((1 - tokens) / self._rate))

    def reset(self) -> None:
        """Fill every bucket."""
        with self._lock:
            self._buckets.clear()
