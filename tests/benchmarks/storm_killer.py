"""Kills workers inside the emulator at random moments, as functions die when memory runs out."""

import random
import threading
import time
from dataclasses import dataclass, field

import psutil

from reflexarc.emulator.lane import Lane

FUNCTIONS = ("gpu_alert", "notify")


@dataclass(slots=True, kw_only=True)
class Killer:
    """Kills one random worker at a time, with pauses, until it has killed so many."""

    lane: Lane
    kills: int
    within_s: float
    seed: int
    functions: tuple[str, ...] = FUNCTIONS
    killed: list[str] = field(default_factory=list)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, beside whatever else runs."""
        self._thread = threading.Thread(target=self._kill, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the last kill."""
        if self._thread is not None:
            self._thread.join()

    def _kill(self) -> None:
        dice = random.Random(self.seed)
        ends = time.monotonic() + 3 * self.within_s
        while len(self.killed) < self.kills and time.monotonic() < ends:
            time.sleep(dice.uniform(0.2, 1.8) * self.within_s / self.kills)
            function = dice.choice(self.functions)
            if found := workers(self.lane, function):
                dice.choice(found).kill()
                self.killed.append(function)


def workers(lane: Lane, function: str) -> list[psutil.Process]:
    """Return the processes that run a function inside the emulator."""
    if lane.emulator is None:
        return []
    name = f"ministack-lambda-{lane.stack.function(function)}-"
    found = []
    for child in psutil.Process(lane.emulator.child.process.pid).children(recursive=True):
        try:
            if any(name in word for word in child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found
