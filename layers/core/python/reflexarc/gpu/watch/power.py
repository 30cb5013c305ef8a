"""Power of one GPU: the brake that a power supply pulls, and slowdowns without heat. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from reflexarc.events.severity import Severity
from reflexarc.gpu.watch.hold import Reading, Rule
from reflexarc.gpu.watch.model import HW_POWER_BRAKE, HW_SLOWDOWN, HW_THERMAL, GpuSample
from reflexarc.gpu.watch.thresholds import Thresholds

ASPECT = "power"


@dataclass(slots=True)
class Power:
    """The power rules of one GPU; a software power cap is how GPUs work, and no fault."""

    limits: Thresholds

    def read(self, gpu: GpuSample) -> Iterator[Reading]:
        """Return what this look says of each rule."""
        if gpu.reasons is None:
            return
        values = {} if gpu.power_w is None else {"power_w": float(gpu.power_w)}
        brake = bool(gpu.reasons & HW_POWER_BRAKE)
        slow = bool(gpu.reasons & HW_SLOWDOWN) and not gpu.reasons & (HW_THERMAL | HW_POWER_BRAKE)
        lasts = f"for {self.limits.power_s:g} s"
        for name, holds, says in (
            ("power/brake", brake, f"the power brake slows the GPU down, {lasts}"),
            ("power/hw-slowdown", slow, f"the hardware slows the GPU down, not for heat, {lasts}"),
        ):
            rule = Rule(
                name=name,
                severity=Severity.WARNING,
                raise_s=self.limits.power_s,
                clear_s=self.limits.power_clear_s,
            )
            yield Reading(rule=rule, holds=holds, well=not holds, says=says, values=values)
