"""Takes one lane's messages to its queue: at once, in order, again and again until accepted."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reflexarc.agent.backoff import delay
from reflexarc.agent.counters import Counters
from reflexarc.agent.log import AgentLog
from reflexarc.agent.packing import Packed
from reflexarc.agent.ports import Queue
from reflexarc.agent.spool import LaneName, Spool
from reflexarc.kernel.batching import BATCH_BYTES, BATCH_COUNT
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import RateLimited, ReflexError, Rejected, Unavailable

_SYNC_SECONDS = 1.0
_IDLE_SECONDS = 1.0

_NOT_SENT: dict[LaneName, str] = {
    "faults": "faults could not be sent",
    "readings": "readings could not be sent",
}
_REFUSED: dict[LaneName, str] = {
    "faults": "the queue refuses a message of faults for ever",
    "readings": "the queue refuses a message of readings for ever",
}

Emit = Callable[[str, dict[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class Courier:
    """Sends what waits in one lane. One request is under way at a time, so order is kept.

    `after` is the courier that goes first: this one sends while that one has nothing to send, or
    has just failed. So faults leave first when a queue comes back, and a heartbeat still leaves
    when only the queue for faults is out of order.
    """

    lane: LaneName
    queue: Queue
    spool: Spool
    counters: Counters
    clock: Clock
    chance: Callable[[], float]
    log: AgentLog
    emit: Emit
    after: "Courier | None" = None
    monotonic: Callable[[], float] = time.monotonic
    failures: int = 0
    failures_ever: int = 0
    accepted_at: float | None = None
    _not_before: float = 0.0
    _seen_failures: int = 0

    def run(self, stopped: Callable[[], bool]) -> None:
        """Deliver until told to stop."""
        while not stopped():
            pause = self._not_before - self.monotonic()
            if pause > 0:
                self.spool.wait(stopped, min(pause, _SYNC_SECONDS))
                self._make_durable()
                continue
            ready = self.spool.wait(lambda: stopped() or self.may_send(), _IDLE_SECONDS)
            if ready and not stopped():
                self.deliver()

    def may_send(self) -> bool:
        """Tell whether there is something to send and nothing that should go first."""
        if not self.spool.waiting(self.lane):
            return False
        first = self.after
        return (
            first is None
            or not self.spool.waiting(first.lane)
            or first.failures_ever != self._seen_failures
        )

    def deliver(self) -> None:
        """Try once to hand over the oldest messages."""
        if self.after is not None:
            self._seen_failures = self.after.failures_ever
        messages = self.spool.front(self.lane, BATCH_COUNT, BATCH_BYTES)
        if not messages:
            return
        attempt_at = self.clock()
        begun = self.monotonic()
        try:
            problems = self.queue.send([(each.id, each.stamped(attempt_at)) for each in messages])
        except Unavailable as error:
            self._failed(str(error), messages, _asked(error))
            return
        except Exception as error:  # noqa: BLE001 - a courier that dies in silence loses all to come
            self._failed(f"unexpected {type(error).__name__}: {error}", messages)
            return
        took = self.monotonic() - begun
        self._settle(messages, problems, attempt_at, took)

    def _settle(
        self,
        messages: Sequence[Packed],
        problems: Mapping[str, ReflexError],
        attempt_at: datetime,
        took: float,
    ) -> None:
        refused = [each for each in messages if isinstance(problems.get(each.id), Rejected)]
        accepted = [each for each in messages if each.id not in problems]
        for message in refused:
            self._refused(message, str(problems[message.id]))
        self.counters.sent += len(accepted)
        self.spool.settle(self.lane, [message.id for message in (*accepted, *refused)])
        if accepted:
            self.accepted_at = self.monotonic()
            facts = {
                "lane": self.lane,
                "ids": [message.id for message in accepted],
                "faults": sum(message.faults for message in accepted),
                "attempt_at": attempt_at.isoformat(),
                "took_ms": round(took * 1000, 3),
            }
            self.emit("sent", facts)
        again = [each for each in messages if isinstance(problems.get(each.id), Unavailable)]
        if again:
            first = problems[again[0].id]
            self._failed(str(first), again, _asked(first))
        else:
            self._succeeded()

    def _succeeded(self) -> None:
        if self.failures:
            self.log.info("the queue takes messages again", lane=self.lane)
        self.failures = 0
        self._not_before = 0.0

    def _failed(self, why: str, messages: Sequence[Packed], at_least: float = 0.0) -> None:
        self.failures += 1
        self.failures_ever += 1
        pause = max(at_least, delay(self.failures, self.chance()))
        self._not_before = self.monotonic() + pause
        self.log.warning(
            _NOT_SENT[self.lane],
            why=why,
            waiting=self.spool.waiting(self.lane),
            retry_in_s=round(pause, 1),
        )
        self.emit("failed", {"lane": self.lane, "ids": [each.id for each in messages], "why": why})
        self._make_durable()
        self.spool.nudge()

    def _refused(self, message: Packed, why: str) -> None:
        if self.lane == "faults":
            self.counters.refused_faults += message.faults
        else:
            self.counters.refused_readings += 1
        self.log.error(_REFUSED[self.lane], id=message.id, why=why, body=message.text)
        self.emit("refused", {"lane": self.lane, "ids": [message.id], "why": why})

    def _make_durable(self) -> None:
        """Let what waits survive the loss of power; a message that is accepted at once need not."""
        try:
            self.spool.sync()
        except OSError as error:
            self.log.warning("the spool cannot be synced", why=error)


def _asked(error: ReflexError) -> float:
    """Return the seconds that the queue asked to be left alone."""
    return error.retry_after.total_seconds() if isinstance(error, RateLimited) else 0.0
