"""The open /dev/kmsg: raw records as they come, without ever blocking a read."""

import errno
import os
import select
from pathlib import Path
from typing import Self

from reflexarc.kernel.errors import ReflexError

# The kernel formats one record into CONSOLE_EXT_LOG_MAX = 8,192 bytes; a smaller buffer makes
# read() fail with EINVAL. https://github.com/torvalds/linux/blob/master/include/linux/console.h
_RECORD_MAX = 8_192
DEVICE = Path("/dev/kmsg")


class Overwritten(ReflexError):
    """The kernel overwrote records before we read them; the next read continues after them."""


class KernelLog:
    """Reads /dev/kmsg. One read is one record; the first read is the oldest one kept."""

    def __init__(self, path: Path = DEVICE) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def skip_to_end(self) -> None:
        """Go past everything logged so far."""
        os.lseek(self._fd, 0, os.SEEK_END)

    def read(self) -> bytes | None:
        """Return the next record, or None when there is none yet; raises Overwritten."""
        try:
            return os.read(self._fd, _RECORD_MAX)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise Overwritten from error
            raise

    def wait(self, timeout: float) -> None:
        """Return as soon as a record can be read, or after this many seconds."""
        self._poll.poll(timeout * 1000)

    def close(self) -> None:
        """Give the device back."""
        os.close(self._fd)
