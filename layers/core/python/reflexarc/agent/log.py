"""The agent's own log: one event a line, on stderr, and never a flood.

An agent that cannot send must not fill the disk of ten thousand nodes with the news of it: each
event is written a few times, then once a minute with the number of those left out.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
_RANK: dict[str, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}
BURST = 5
QUIET_SECONDS = 60.0


@dataclass(slots=True)
class _Spent:
    seen_at: float
    written_at: float
    written: int = 0
    left_out: int = 0


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class AgentLog:
    """Writes `time level "event" key=value ...`; safe to call from any thread."""

    def __init__(
        self,
        level: Level = "info",
        *,
        write: Callable[[str], None] = _to_stderr,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least = _RANK[level]
        self._write = write
        self._monotonic = monotonic
        self._spent: dict[str, _Spent] = {}
        self._lock = threading.Lock()

    def debug(self, event: str, **facts: object) -> None:
        """Say something that helps to understand the agent itself."""
        self._say("debug", event, facts)

    def info(self, event: str, **facts: object) -> None:
        """Say something that happened as it should."""
        self._say("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Say something that an operator should look at."""
        self._say("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Say something that was lost, or stops the agent."""
        self._say("error", event, facts)

    def _say(self, level: Level, event: str, facts: dict[str, object]) -> None:
        if _RANK[level] < self._least:
            return
        with self._lock:
            left_out = self._may_say(event)
            if left_out is None:
                return
            if left_out:
                facts = {**facts, "left_out": left_out}
            pairs = "".join(f" {key}={_shown(value)}" for key, value in facts.items())
            stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
            self._write(f'{stamp}Z {level} "{event}"{pairs}')

    def _may_say(self, event: str) -> int | None:
        """Return how many of these were left out before this one; None to leave it out too."""
        now = self._monotonic()
        spent = self._spent.get(event)
        if spent is None or now - spent.seen_at >= QUIET_SECONDS:
            left_out = 0 if spent is None else spent.left_out
            self._spent[event] = _Spent(seen_at=now, written_at=now, written=1)
            return left_out
        spent.seen_at = now
        # What goes on, however slowly, is written once a minute: only its begin is worth a burst.
        if spent.written >= BURST and now - spent.written_at < QUIET_SECONDS:
            spent.left_out += 1
            return None
        left_out, spent.left_out = spent.left_out, 0
        spent.written += 1
        spent.written_at = now
        return left_out


def _shown(value: object) -> str:
    text = str(value)
    if text and all(character.isalnum() or character in "-_.:/+" for character in text):
        return text
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"')
    return f'"{escaped}"'
