"""The driver and the GPUs it should show: hung, gone, lost. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from reflexarc.events.severity import Severity
from reflexarc.gpu.watch.hold import Reading, Rule
from reflexarc.gpu.watch.model import DriverState, GpuSample
from reflexarc.gpu.watch.thresholds import Thresholds

ASPECT = "driver"
_CLEAR_S = 10.0


@dataclass(slots=True)
class Driver:
    """What is remembered of the driver. One that was never here is not missed."""

    limits: Thresholds
    answered: bool = False

    def read(self, state: DriverState) -> Iterator[Reading]:
        """Return what the driver's state says of each rule."""
        answers = state == "answers"
        self.answered = self.answered or answers
        yield Reading(
            rule=_rule("driver/unresponsive", Severity.CRITICAL, self.limits.hung_s),
            holds=state == "hung",
            well=answers,
            says=f"a call into the NVIDIA driver has not returned for {self.limits.hung_s:g} s",
        )
        if self.answered:
            yield Reading(
                rule=_rule("driver/absent", Severity.WARNING, self.limits.absent_s),
                holds=state in {"absent", "failing"},
                well=answers,
                says=f"the NVIDIA driver has not answered for {self.limits.absent_s:g} s",
            )


def presence(gpu: GpuSample | None, limits: Thresholds) -> Reading:
    """Return what a look at a GPU that was here before says; None is one that is missing."""
    here = gpu is not None and not gpu.lost
    how = "is missing from a driver that answers" if gpu is None else "is lost, says the driver"
    return Reading(
        rule=_rule("gpu/lost", Severity.CRITICAL, limits.lost_s),
        holds=not here,
        well=here,
        says=f"the GPU was here and {how}, for {limits.lost_s:g} s",
    )


def _rule(name: str, severity: Severity, raise_s: float) -> Rule:
    return Rule(name=name, severity=severity, raise_s=raise_s, clear_s=_CLEAR_S)
