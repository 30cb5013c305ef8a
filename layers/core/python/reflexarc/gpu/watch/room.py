"""All rules of one GPU: what one look turns, by aspect. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reflexarc.gpu.watch import driver, link, memory, power, thermal
from reflexarc.gpu.watch.hold import Hold, Reading, Turn
from reflexarc.gpu.watch.link import Links
from reflexarc.gpu.watch.memory import Memory
from reflexarc.gpu.watch.model import GpuSample
from reflexarc.gpu.watch.power import Power
from reflexarc.gpu.watch.telling import Aspect
from reflexarc.gpu.watch.thermal import Heat
from reflexarc.gpu.watch.thresholds import Thresholds

ITSELF = ""
ASPECT_OF = {
    "thermal": thermal.ASPECT,
    "power": power.ASPECT,
    "memory": memory.ASPECT,
    "link": link.ASPECT,
    "gpu": ITSELF,
}


@dataclass(slots=True)
class Room:
    """One device under watch: its holds by rule, its aspects, and what its rules remember."""

    holds: dict[str, Hold] = field(default_factory=dict)
    aspects: dict[str, Aspect] = field(default_factory=dict)
    uuid: str = ""

    def take(self, reading: Reading, aspect: str, seconds: float) -> Turn | None:
        """Take one reading in; return what it turned."""
        rule = reading.rule
        hold = self.holds.get(rule.name)
        if hold is None:
            hold = self.holds[rule.name] = Hold()
        turned = hold.step(reading, seconds)
        if turned is not None:
            self.aspect(aspect).turn(rule.name, rule.severity, turned)
        return turned

    def aspect(self, name: str) -> Aspect:
        """Return one aspect."""
        return self.aspects.setdefault(name, Aspect())

    @property
    def active(self) -> tuple[str, ...]:
        """Return the rules that hold."""
        return tuple(sorted(rule for each in self.aspects.values() for rule in each.active))


class GpuRoom(Room):
    """One GPU under watch, known by its address whatever its index."""

    def __init__(self, limits: Thresholds) -> None:
        super().__init__()
        self._limits = limits
        self._heat = Heat(limits)
        self._power = Power(limits)
        self._memory = Memory(limits)
        self._links = Links(limits)

    def readings(self, gpu: GpuSample | None, seconds: float) -> Iterator[Reading]:
        """Return what a look says; None is a GPU that is missing while others answer."""
        yield driver.presence(gpu, self._limits)
        if gpu is None or gpu.lost:
            return
        yield from self._heat.read(gpu, seconds)
        yield from self._power.read(gpu)
        yield from self._memory.read(gpu, seconds)
        yield from self._links.read(gpu, seconds)

    def warms(self, gpu: GpuSample) -> bool:
        """Tell whether it is near its limit and still rising."""
        return not gpu.lost and self._heat.warms(gpu)


def aspect_of(rule: str) -> str:
    """Return the aspect that a GPU's rule belongs to."""
    return ASPECT_OF[rule.partition("/")[0]]
