"""Reads small files that others write: never more than a bound, never through a symlink."""

import os
import stat
import threading
from pathlib import Path

from reflexarc.kernel.errors import Rejected

_SHOWN_MAX = 253


def first_bytes(path: Path, limit: int) -> bytes:
    """Return the start of a file of the kernel, nothing where it is gone or not ours to read."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except (OSError, ValueError):
        return b""


class Patience:
    """Reads files that may hang, and waits for them no longer than a moment.

    A process's environment is in its memory: where a driver holds that process's memory lock, a
    reader waits for as long as the driver does, and cannot be interrupted.
    """

    def __init__(self, seconds: float = 0.1, stuck_max: int = 4) -> None:
        self._seconds = seconds
        self._stuck_max = stuck_max
        self._waiting: list[threading.Thread] = []

    def first_bytes(self, path: Path, limit: int) -> bytes:
        """Return the start of a file; nothing where it takes too long, or others still hang."""
        self._waiting = [thread for thread in self._waiting if thread.is_alive()]
        if len(self._waiting) >= self._stuck_max:
            return b""
        read: list[bytes] = []
        thread = threading.Thread(
            target=lambda: read.append(first_bytes(path, limit)), name="read", daemon=True
        )
        thread.start()
        thread.join(self._seconds)
        if not read:
            self._waiting.append(thread)
        return read[0] if read else b""


def whole_file(path: Path, limit: int) -> bytes:
    """Return all of a regular file; Rejected says why it is not read.

    Only root and this process's own user may have written it: whoever else could write there
    could blame others for a fault.
    """
    try:
        # Without O_NONBLOCK a FIFO of that name would hold us for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Rejected(error.strerror or type(error).__name__) from error
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise Rejected("it is no regular file")
        if about.st_uid not in (0, os.geteuid()):
            raise Rejected(f"user {about.st_uid} owns it, not root")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise Rejected(f"it is larger than {limit} bytes")
    return content


def printable(text: str) -> str:
    """Return what may be shown of a name that somebody else chose."""
    return "".join(c if c.isprintable() else "?" for c in text.strip())[:_SHOWN_MAX]
