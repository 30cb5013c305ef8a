"""Ends what its parent started once the parent is gone, however it went: run as a program.

The parent holds the other end of our stdin. The kernel closes it when the parent exits, on
SIGKILL too, which no `atexit` or signal handler survives. Standard library only, no imports of
this package: it must start in milliseconds and work while an installation is being replaced.

Each line of stdin is a verb and an argument: `hold PGID`, `drop PGID`, `folder PATH`.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

GRACE_S = 3.0
_POLL_S = 0.02


def signal_group(group: int, number: int) -> bool:
    """Signal a process group; False when nobody is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS: only zombies are left
        return False
    return True


def end(groups: Iterable[int], grace_s: float = GRACE_S) -> None:
    """Ask every group to stop, newest first, then insist on those that did not."""
    alive = [group for group in groups if signal_group(group, signal.SIGTERM)]
    deadline = time.monotonic() + grace_s
    while alive and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        alive = [group for group in alive if signal_group(group, 0)]
    for group in alive:
        signal_group(group, signal.SIGKILL)


def main() -> None:
    """Take notes until the parent is gone, then clean up after it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the parent's end ends us
    groups: list[int] = []
    folders: list[str] = []
    for line in sys.stdin:
        verb, _, argument = line.rstrip("\n").partition(" ")
        if verb == "hold":
            groups.append(int(argument))
        elif verb == "drop":
            with suppress(ValueError):
                groups.remove(int(argument))
        elif verb == "folder":
            folders.append(argument)
    end(reversed(groups))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
