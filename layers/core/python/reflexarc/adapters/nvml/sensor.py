"""Fills agent.ports.Sensor: what every GPU of the node tells through NVML, once a second."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from reflexarc.adapters.nvml.cards import listed
from reflexarc.adapters.nvml.library import GpuLost, Nvml, SessionOver, not_here
from reflexarc.adapters.nvml.look import FIELD_NAMES, HAS_OLDER_CALL, Look
from reflexarc.gpu.watch.model import GpuSample, Observation
from reflexarc.kernel.errors import Rejected

# A GPU that was reset is seen only by a new session; that takes the others a second, so not often.
RENEW_MIN_S = 30.0
RENEW_MAX_S = 600.0


class NvmlSensor:
    """Reads all GPUs. A lost one stays in sight as lost, and is taken up again when it is back."""

    name = "nvml"
    interval_s = 1.0

    def __init__(
        self,
        nvml: Nvml,
        *,
        clock: Callable[[], float] = time.monotonic,
        renew_s: float = RENEW_MIN_S,
    ) -> None:
        self._nvml = nvml
        self._clock = clock
        self._renew_min_s = renew_s
        self._renew_s = renew_s
        self._renew_at = 0.0
        self._looks: tuple[Look, ...] = ()
        self._known: frozenset[str] = frozenset()
        self._lost: dict[str, GpuSample] = {}
        self._joined = False
        self._driver = ""
        self._unnamed: tuple[str, ...] = ()
        self._said: tuple[tuple[int, ...], tuple[str, ...]] = ((), ())

    def read(self) -> Observation:
        """Look once at every GPU; raises Rejected where there is no driver or no GPU."""
        if not self._joined:
            self._begin()
        elif self._nvml.renewing or self._wants_renewal():
            self._renew()
        try:
            return self._observe()
        except SessionOver:
            # The driver may be back already, reloaded: one new session, one more look.
            self._renew()
        try:
            return self._observe()
        except SessionOver as over:
            self.close()
            raise not_here(over.code) from over

    def remarks(self) -> tuple[str, ...]:
        """Return what cannot be read here and why, in a few lines."""
        looks = self._looks
        # Asked for at every look, changed hardly ever.
        learned = tuple(look.answers.learned for look in looks)
        if learned != self._said[0]:
            self._said = (learned, self._compose_remarks(looks))
        return (*self._unnamed, *self._said[1])

    def _compose_remarks(self, looks: tuple[Look, ...]) -> tuple[str, ...]:
        counted: Counter[str] = Counter()
        for look in looks:
            counted.update(  # one mention a GPU, though several fields may have the name
                {
                    f"{what if isinstance(what, str) else FIELD_NAMES[what[0]]}: {why}"
                    for what, why in look.answers.refused().items()
                    if what not in HAS_OLDER_CALL
                }
            )
        return tuple(f"{what} ({n} of {len(looks)} GPUs)" for what, n in sorted(counted.items()))

    def close(self) -> None:
        """End this sensor's part of the NVML session."""
        if self._joined:
            self._joined = False
            self._looks = ()
            self._nvml.leave()

    def _begin(self) -> None:
        api = self._nvml.join()
        self._joined = True
        self._take_up(api)

    def _renew(self) -> None:
        self._joined = False
        self._looks = ()
        api = self._nvml.renew()
        self._joined = True
        self._take_up(api)

    def _take_up(self, api: Any) -> None:
        """Find handles for the GPUs that are listed now."""
        try:
            cards, unnamed = listed(api)
            self._driver = api.nvmlSystemGetDriverVersion()
        except SessionOver as over:
            self.close()
            raise not_here(over.code) from over
        self._unnamed = tuple(unnamed)
        self._looks = tuple(Look(api, card, self._clock) for card in cards)
        self._known |= {card.device for card in cards}
        if not self._known:
            self.close()
            raise Rejected(
                "the driver lists no GPU here: in a container, ask for GPUs"
                " (NVIDIA_VISIBLE_DEVICES, nvidia.com/gpu); else see `nvidia-smi` and `dmesg`"
            )

    def _wants_renewal(self) -> bool:
        listed_now = {look.card.device for look in self._looks}
        if not self._lost and listed_now == self._known:
            self._renew_s = self._renew_min_s
            self._renew_at = 0.0
            return False
        now = self._clock()
        if self._renew_at == 0.0:
            self._renew_at = now + self._renew_s
        if now < self._renew_at:
            return False
        self._renew_s = min(self._renew_s * 2, max(RENEW_MAX_S, self._renew_min_s))
        self._renew_at = now + self._renew_s
        return True

    def _observe(self) -> Observation:
        samples = []
        for look in self._looks:
            card = look.card
            try:
                sample = look.sample()
            except GpuLost:
                sample = GpuSample(
                    device=card.device,
                    uuid=card.uuid,
                    index=card.index,
                    name=card.name,
                    lost=True,
                )
                self._lost[card.device] = sample
            else:
                self._lost.pop(card.device, None)
            if sample is not None and not sample.lost:
                samples.append(sample)
        return Observation(gpus=(*samples, *self._lost.values()), driver=self._driver)
