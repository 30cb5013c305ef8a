"""Several GPUs of a node that heat up together are one cooling fault of the node. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from reflexarc.events.severity import Severity
from reflexarc.gpu.watch.hold import Reading
from reflexarc.gpu.watch.thresholds import Thresholds

RULE = "thermal/cooling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to tell of the node, and what of which GPUs to tell of themselves."""

    cooling: Severity | None = None
    alone: Mapping[str, Reading] = field(default_factory=dict)


@dataclass(slots=True)
class Together:
    """Warnings wait here for a few seconds: company makes them the node's."""

    limits: Thresholds
    told: Severity | None = None
    _waiting: dict[str, tuple[Reading, float]] = field(default_factory=dict)

    def judge(
        self,
        fresh: Mapping[str, Reading],
        ill: Mapping[str, Severity],
        warming: Collection[str],
        gpus: int,
        seconds: float,
    ) -> Verdict:
        """Judge GPUs that a rule newly holds for, beside those that are ill or warm up already.

        What waits is a warning, so the newest word on a GPU is never the milder one.
        """
        for device, reading in fresh.items():
            _, since = self._waiting.get(device, (reading, seconds))
            self._waiting[device] = reading, since
        self._waiting = {each: wait for each, wait in self._waiting.items() if each in ill}
        count = len(ill.keys() | set(warming))
        if self.told is not None or (ill and self._are_together(count, gpus)):
            return self._of_the_node(ill)
        due = {
            device: reading
            for device, (reading, since) in self._waiting.items()
            if reading.rule.severity is Severity.CRITICAL
            or not 0 <= seconds - since < self.limits.together_s
        }
        for device in due:
            del self._waiting[device]
        return Verdict(alone=due)

    def _are_together(self, count: int, gpus: int) -> bool:
        return count >= max(self.limits.together_gpus, (gpus + 1) // 2)

    def _of_the_node(self, ill: Mapping[str, Severity]) -> Verdict:
        self._waiting.clear()
        worst = max(ill.values(), key=lambda each: each.rank, default=None)
        if worst is None or (self.told is not None and worst.rank <= self.told.rank):
            return Verdict()
        self.told = worst
        return Verdict(cooling=worst)
