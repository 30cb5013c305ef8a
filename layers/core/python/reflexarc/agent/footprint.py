"""Keeps the agent small: what was needed only to start goes back to the system."""

import ctypes
import gc
from typing import Any

# mallopt(3): at most this many arenas; glibc would give each of the agent's threads its own.
_M_ARENA_MAX = -8
_ARENAS = 2


def begin_small() -> None:
    """Keep threads from allocating apart; called before any thread starts. No promise off glibc."""
    libc = _libc()
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, _ARENAS)


def settle() -> None:
    """Free what the start left behind, and let the collector leave alone what stays for good."""
    gc.collect()
    gc.freeze()
    trim()


def trim() -> None:
    """Give free memory back to the system, as after a storm."""
    libc = _libc()
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def _libc() -> Any:
    try:
        return ctypes.CDLL(None)
    except OSError:  # pragma: no cover - a statically linked interpreter
        return None
