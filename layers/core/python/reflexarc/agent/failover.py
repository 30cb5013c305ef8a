"""Fills Queue with two others: the first while it takes messages, else the second.

Ids and order stay as they are: a courier has one request under way, and what one queue did not take
is offered whole to the other. An answer that the first region lost after it had accepted is the one
thing that may page in both.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reflexarc.agent.log import AgentLog
from reflexarc.agent.ports import Queue
from reflexarc.kernel.errors import RateLimited, ReflexError, Unavailable

# How often an ill first queue is offered a message again: long enough that its timeouts (some
# 18 s) do not become the pace of every page.
PROBE_S = 60.0


@dataclass(slots=True, kw_only=True)
class Failover:
    """Sends to the first queue, and to the second while the first is ill."""

    first: Queue
    second: Queue
    log: AgentLog
    monotonic: Callable[[], float]
    _probe_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, entries: Sequence[tuple[str, str]]) -> Mapping[str, ReflexError]:
        """Hand over to whichever takes them; raises Unavailable where neither does."""
        with self._lock:
            if self._probe_at is not None and self.monotonic() < self._probe_at:
                return self._by_second(entries, None)
            try:
                problems = self.first.send(entries)
            except Unavailable as error:
                return self._by_second(entries, error)
            if self._probe_at is not None:
                self.log.info("the first sink takes messages again")
                self._probe_at = None
            return problems

    def _by_second(
        self, entries: Sequence[tuple[str, str]], ill: Unavailable | None
    ) -> Mapping[str, ReflexError]:
        if ill is not None:
            if self._probe_at is None:
                self.log.warning("sending to the second sink", why=ill)
            self._probe_at = self.monotonic() + PROBE_S
        try:
            return self.second.send(entries)
        except Unavailable as error:
            # Both are ill: the next attempt begins with the first, whichever recovers sooner.
            self._probe_at = None
            raise _neither(ill, error) from error


def _neither(first: Unavailable | None, second: Unavailable) -> Unavailable:
    if first is None:
        return second
    words = f"{first}; the second sink: {second}"
    if isinstance(first, RateLimited) and isinstance(second, RateLimited):
        return RateLimited(words, min(first.retry_after, second.retry_after))
    return Unavailable(words)
