"""Wakes a reader when a file changes: inotify where there is one, else a poll that idles slowly."""

import ctypes
import os
import select
import time
from pathlib import Path

# https://github.com/torvalds/linux/blob/master/include/uapi/linux/inotify.h
_IN_MODIFY, _IN_ATTRIB, _IN_MOVED_TO, _IN_CREATE = 0x2, 0x4, 0x80, 0x100
_IN_DELETE_SELF, _IN_MOVE_SELF = 0x400, 0x800
_FILE_EVENTS = _IN_MODIFY | _IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF
_FOLDER_EVENTS = _IN_CREATE | _IN_MOVED_TO

# A look at an unchanged file costs about 30 us with its wake-up: 50 looks a second are 0.15 % of
# a core. After a change more are likely, so the reader looks closer for a second.
IDLE_POLL = 0.02
ACTIVE_POLL = 0.002
_ACTIVE_SECONDS = 1.0
# Network file systems accept a watch and never report. A reader that twice finds data that no
# event announced stops trusting them.
_MISSES_MAX = 2


class FileWatch:
    """Waits for changes of one path, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = _inotify()
        self._silent = False
        self._misses = 0
        self._active_until = 0.0
        self.renew()

    @property
    def events(self) -> bool:
        """Tell whether the kernel reports changes here."""
        return self._fd is not None

    def renew(self) -> None:
        """Watch the file that stands at the path now; to call when it was replaced."""
        if self._fd is None:
            return
        folder = _add_watch(self._fd, self._path.parent, _FOLDER_EVENTS)
        _add_watch(self._fd, self._path, _FILE_EVENTS)
        if not folder:
            self._give_up()

    def wait(self, timeout: float) -> None:
        """Return when the file may have changed, at the latest after `timeout` seconds."""
        if self._fd is None:
            active = time.monotonic() < self._active_until
            time.sleep(min(timeout, ACTIVE_POLL if active else IDLE_POLL))
            return
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        self._silent = not poll.poll(timeout * 1000)
        if not self._silent:
            self._misses = 0
            os.read(self._fd, 64 * 1024)

    def found(self) -> None:
        """Note that the file had changed, so that the watch learns whether events work here."""
        self._active_until = time.monotonic() + _ACTIVE_SECONDS
        if self._fd is not None and self._silent:
            self._silent = False
            self._misses += 1
            if self._misses >= _MISSES_MAX:
                self._give_up()

    def close(self) -> None:
        """Give the kernel's watch back."""
        self._give_up()

    def _give_up(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _inotify() -> int | None:
    try:
        fd: int = ctypes.CDLL(None).inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    except (AttributeError, OSError):
        return None  # no Linux
    return fd if fd >= 0 else None


def _add_watch(fd: int, path: Path, events: int) -> bool:
    result: int = ctypes.CDLL(None).inotify_add_watch(fd, os.fsencode(path), events)
    return result >= 0
