"""Fills agent.ports.Sensor: Xids and recovery actions as NVML reports them, the moment they come.

NVML is a second witness: it drops events while a set is made anew, and some Xids never reach it.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from reflexarc.adapters.nvml.answers import number
from reflexarc.adapters.nvml.cards import Card, address_of, listed
from reflexarc.adapters.nvml.library import (
    GPU_IS_LOST,
    TIMEOUT,
    Nvml,
    SessionOver,
    not_here,
    tried,
)
from reflexarc.gpu.watch.model import Observation, XidSeen
from reflexarc.kernel.clock import Clock, system_clock
from reflexarc.kernel.errors import Rejected, Unavailable

WAIT_S = 1.0
# nvml.h: nvmlEventTypeXidCriticalError, GpuUnavailableError, GpuRecoveryAction
XID, UNAVAILABLE, RECOVERY = 0x8, 0x4000, 0x8000
_WANTED = XID | UNAVAILABLE | RECOVERY
_RECOVERY_FIELD = 230
RECOVERY_XID, OFF_THE_BUS_XID = 154, 79
# Events of one read; more wait for the next, so that a storm does not hold a read for ever.
_BURST = 256
_AFTER_LOSS_S = 0.2


class NvmlEvents:
    """Waits for events on a set of its own; one read waits no longer than `wait_s`."""

    name = "nvml-events"
    interval_s = 0.0

    def __init__(
        self,
        nvml: Nvml,
        *,
        clock: Clock = system_clock,
        wait_s: float = WAIT_S,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._nvml = nvml
        self._clock = clock
        self._wait_s = wait_s
        self._pause = pause
        self._api: Any = None
        self._set: Any = None
        self._cards: dict[int, Card] = {}
        self._deaf: tuple[str, ...] = ()

    def read(self) -> Observation:
        """Return the events of the next moment; raises Rejected where none can come."""
        try:
            if self._api is None:
                self._api = self._nvml.join()
                self._listen()
            elif self._nvml.renewing:
                self._renew()
            return Observation(xids=self._events())
        except SessionOver:
            self._renew_or_say()
            return Observation()

    def remarks(self) -> tuple[str, ...]:
        """Return which GPUs report no events, and why."""
        return self._deaf

    def close(self) -> None:
        """Give the event set back and leave NVML."""
        if self._api is not None:
            self._drop_set()
            self._api = None
            self._nvml.leave()

    def _renew(self) -> None:
        self._drop_set()
        self._api = None
        self._api = self._nvml.renew()
        self._listen()

    def _renew_or_say(self) -> None:
        try:
            self._renew()
        except SessionOver as over:
            self.close()
            raise not_here(over.code) from over

    def _drop_set(self) -> None:
        if self._set is not None:
            old, self._set = self._set, None
            self._try(self._api.nvmlEventSetFree, old)

    def _listen(self) -> None:
        """Make a set anew, with every GPU that answers."""
        cards, _ = listed(self._api)
        self._drop_set()
        self._set, code = self._try(self._api.nvmlEventSetCreate)
        if code != 0:
            raise Unavailable(f"NVML makes no event set: {self._api.NVMLError(code)}")
        self._cards = {card.address: card for card in cards}
        deaf = [card.device for card in cards if not self._register(card)]
        self._deaf = (f"no events from {', '.join(deaf)}",) if deaf else ()
        if len(deaf) == len(cards):
            self.close()
            raise Rejected("no GPU here reports events through NVML; the kernel log still does")

    def _register(self, card: Card) -> bool:
        """Ask only for what the GPU supports: one unknown bit would refuse them all."""
        supported, _ = self._try(self._api.nvmlDeviceGetSupportedEventTypes, card.handle)
        wanted = (supported or 0) & _WANTED
        if not wanted:
            return False
        _, code = self._try(self._api.nvmlDeviceRegisterEvents, card.handle, wanted, self._set)
        return code == 0

    def _events(self) -> tuple[XidSeen, ...]:
        """Wait for a first event, then take what else is there."""
        found: list[XidSeen] = []
        wait_ms = round(self._wait_s * 1000)
        for _ in range(_BURST):
            event, code = self._try(self._api.nvmlEventSetWait_v2, self._set, wait_ms)
            if event is None:
                if code != TIMEOUT:
                    self._recover(code)
                break
            wait_ms = 0
            if (seen := self._seen(event, self._clock())) is not None:
                found.append(seen)
        return tuple(found)

    def _recover(self, code: int) -> None:
        """Listen without the lost GPU; whatever else is wrong with the set, make a new one."""
        self._pause(min(_AFTER_LOSS_S, self._wait_s))
        self._listen()
        if code != GPU_IS_LOST:
            raise Unavailable(f"waiting for NVML events fails (error {code}); the set is made anew")

    def _seen(self, event: Any, at: datetime) -> XidSeen | None:
        card = self._cards.get(address_of(event.device))
        if card is None:
            return None
        code, recovery = self._meaning(card, event)
        if code == 0:  # NVML reports Xid 0 for an event without one
            return None
        return XidSeen(
            witness="nvml",
            device=card.device,
            uuid=card.uuid,
            code=code,
            at=at,
            gpu_instance=number(event.gpuInstanceId),
            compute_instance=number(event.computeInstanceId),
            recovery_to=recovery,
        )

    def _meaning(self, card: Card, event: Any) -> tuple[int, int | None]:
        """Return code and recovery action; a changed action is what the kernel logs as Xid 154."""
        if event.eventType & XID and event.eventData != RECOVERY_XID:
            return int(event.eventData), None
        if not event.eventType & _WANTED:
            return 0, None
        values, code = self._try(self._api.nvmlDeviceGetFieldValues, card.handle, [_RECOVERY_FIELD])
        if code == GPU_IS_LOST and event.eventType & UNAVAILABLE:
            return OFF_THE_BUS_XID, None
        if not values or values[0].nvmlReturn != 0:
            return RECOVERY_XID, None
        action = number(int(values[0].value.uiVal))
        # Action 0 resolves a fault; a GPU that is unavailable is no such thing.
        return RECOVERY_XID, None if event.eventType & UNAVAILABLE and action == 0 else action

    def _try(self, call: Callable[..., Any], *args: Any) -> tuple[Any, int]:
        return tried(self._api, call, *args)
