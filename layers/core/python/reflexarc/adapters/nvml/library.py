"""The one NVML of this process: its sensors join it and leave it; no lock is held in a call.

NVML counts its nvmlInit calls and looks for GPUs only at the first. So a GPU that came back, or a
driver that was reloaded, is seen after every sensor has left: `renew` asks the others to, and each
does at its next read.
"""

import importlib
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from reflexarc.kernel.errors import ReflexError, Rejected, Unavailable

# How long one sensor waits for the others to leave. An event sensor waits 1 s in one call.
RENEW_S = 1.5

# nvmlReturn_t, https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html
UNINITIALIZED = 1
INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NO_PERMISSION = 4
DRIVER_NOT_LOADED = 9
TIMEOUT = 10
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
OPERATING_SYSTEM = 17
LIB_RM_VERSION_MISMATCH = 18
ARGUMENT_VERSION_MISMATCH = 25
DEPRECATED = 26

# After these no handle of the session is good any more.
SESSION_OVER = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, LIB_RM_VERSION_MISMATCH})

_NOT_HERE = {
    LIBRARY_NOT_FOUND: "there is no libnvidia-ml.so.1: install the NVIDIA driver, or give this"
    " container the NVIDIA runtime with the capability 'utility'",
    DRIVER_NOT_LOADED: "the NVIDIA kernel module is not loaded: see `dmesg | grep NVRM`, then"
    " `modprobe nvidia`; it is looked for again",
    LIB_RM_VERSION_MISMATCH: "libnvidia-ml.so.1 and the loaded kernel module are of different"
    " versions, as after a driver upgrade: reload the module or reboot; if nvidia-smi works,"
    " restart this agent, which holds the old library",
    FUNCTION_NOT_FOUND: "the driver's libnvidia-ml.so.1 is too old: install driver 470 or later",
    NO_PERMISSION: "no access to the GPU devices: let this process read and write /dev/nvidiactl"
    " and /dev/nvidia*",
    OPERATING_SYSTEM: "the system refuses access to /dev/nvidiactl: allow the device in the unit"
    " or the container",
}


class GpuLost(ReflexError):
    """The GPU does not answer on its bus; its handle is dead."""


class SessionOver(ReflexError):
    """The driver went away under the session; `code` says how."""

    def __init__(self, code: int) -> None:
        super().__init__(f"NVML error {code}")
        self.code = code


def not_here(code: int) -> ReflexError:
    """Return the error that says what a refused nvmlInit means, and what to do."""
    if code in _NOT_HERE:
        return Rejected(_NOT_HERE[code])
    return Unavailable(f"NVML does not start (error {code}): see `nvidia-smi` and `dmesg`")


def tried(api: Any, call: Callable[..., Any], *args: Any) -> tuple[Any, int]:
    """Return what a call returns, or None and its error; raises SessionOver."""
    try:
        return call(*args), 0
    except api.NVMLError as error:
        if error.value in SESSION_OVER:
            raise SessionOver(error.value) from error
        return None, error.value


def load() -> Any:
    """Return the module `pynvml`; raises Rejected where it is not installed."""
    try:
        return importlib.import_module("pynvml")
    except ImportError as error:
        raise Rejected("nvidia-ml-py is not installed: pip install 'reflexarc[agent]'") from error


class Nvml:
    """Counts who uses NVML. A call that hangs keeps its user counted and nobody else waiting."""

    def __init__(self, renew_s: float = RENEW_S) -> None:
        self._changed = threading.Condition()
        self._renew_s = renew_s
        self._users = 0
        self._session = 0
        self._renewing = False

    @property
    def renewing(self) -> bool:
        """Return whether a user waits for the others to leave."""
        return self._renewing

    def join(self) -> Any:
        """Return the module with NVML ready; raises Rejected or Unavailable."""
        api = load()
        # Counted before the call and until after the last: no users means no nvmlInit is left.
        with self._changed:
            self._users += 1
        try:
            api.nvmlInit()
        except api.NVMLError as error:
            self._gone()
            raise not_here(error.value) from error
        return api

    def leave(self) -> None:
        """Undo one join."""
        api = load()
        with suppress(api.NVMLError):
            api.nvmlShutdown()
        self._gone()

    def renew(self) -> Any:
        """Leave, wait a moment until all others left, and join again."""
        with self._changed:
            old = self._session
            self._renewing = True
        self.leave()
        with self._changed:
            self._changed.wait_for(lambda: self._session != old, self._renew_s)
            self._renewing = False
        return self.join()

    def _gone(self) -> None:
        with self._changed:
            self._users -= 1
            if self._users == 0:
                self._session += 1
                self._renewing = False
                self._changed.notify_all()
