"""Trouble on order: what the next requests of a kind get instead of, or before, an answer."""

import threading
from dataclasses import dataclass
from typing import Any, Literal

Do = Literal["status", "error", "drop_before", "drop_after", "hang"]
_DOES: tuple[Do, ...] = ("status", "error", "drop_before", "drop_after", "hang")


@dataclass(slots=True, kw_only=True)
class Fault:
    """`times` requests of a vendor (and method, if given) meet this.

    status: HTTP `status` with `retry_after`; nothing is done. error: Slack's ok:false `error`.
    drop_before: the connection closes, nothing is done. drop_after: it is done, the answer is lost.
    hang: it is done, the answer comes after `seconds`.
    """

    vendor: Literal["slack", "pagerduty", "webhook", "otlp"]
    do: Do
    method: str = ""
    times: int = 1
    status: int = 500
    error: str = "internal_error"
    retry_after: int = 1
    seconds: float = 10.0


class Faults:
    """The faults still to come, first come first served."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []
        self._lock = threading.Lock()

    def plan(self, orders: list[dict[str, Any]]) -> None:
        """Add faults; raises ValueError for an order that makes no sense."""
        try:
            faults = [Fault(**order) for order in orders]
        except TypeError as error:
            raise ValueError(str(error)) from error
        if unknown := [fault.do for fault in faults if fault.do not in _DOES]:
            raise ValueError(f"do must be one of {', '.join(_DOES)}, not {unknown[0]!r}")
        with self._lock:
            self._planned.extend(faults)

    def next(self, vendor: str, method: str) -> Fault | None:
        """Return the fault that this request meets, if any."""
        with self._lock:
            for fault in self._planned:
                if fault.vendor == vendor and fault.method in {"", method}:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._planned.remove(fault)
                    return fault
        return None

    def reset(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._planned.clear()
