"""Every request that the vendors got, in order, with the time at which it had arrived."""

import threading
from typing import Any


class Journal:
    """An append-only list that a reader can wait on."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def add(self, entry: dict[str, Any]) -> None:
        """Append an entry and number it."""
        with self._changed:
            self._entries.append({"n": len(self._entries) + 1, **entry})
            self._changed.notify_all()

    def since(self, number: int, wait_s: float) -> list[dict[str, Any]]:
        """Return the entries after a number, waiting up to `wait_s` for the first."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._entries) > number, timeout=wait_s)
            return self._entries[number:]

    def reset(self) -> None:
        """Forget every entry."""
        with self._changed:
            self._entries.clear()
