"""Steps every rule of a node through one sample after the other. Pure: same samples, same findings.

Time comes from the samples alone, so the cloud can replay what a node saw.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from reflexarc.events.gpu_faults import SAYS_MAX, Finding
from reflexarc.events.gpu_readings import Health
from reflexarc.events.severity import Severity
from reflexarc.gpu.watch import cooling, network, thermal
from reflexarc.gpu.watch import driver as drivers
from reflexarc.gpu.watch.cooling import Together
from reflexarc.gpu.watch.driver import Driver
from reflexarc.gpu.watch.hold import Reading
from reflexarc.gpu.watch.model import GpuSample, NodeSample
from reflexarc.gpu.watch.network import Port
from reflexarc.gpu.watch.remember import of_room, put_back
from reflexarc.gpu.watch.room import GpuRoom, Room, aspect_of
from reflexarc.gpu.watch.thresholds import Thresholds

# More devices than this are no hardware of one node.
DEVICES_MAX = 128
Kind = Literal["gpu", "node", "port"]
_ALL_WELL = "nothing of it holds any more"


class _Place(NamedTuple):
    """Whose rule it is."""

    kind: Kind
    device: str
    room: Room
    aspect: str


class Watch:
    """The rules of one node. Not thread-safe: one owner steps it."""

    def __init__(self, limits: Thresholds | None = None) -> None:
        self._limits = limits or Thresholds()
        self._gpus: dict[str, GpuRoom] = {}
        self._ports: dict[str, tuple[Port, Room]] = {}
        self._node = Room()
        self._driver = Driver(self._limits)
        self._together = Together(self._limits)
        self._lost: frozenset[str] = frozenset()

    def step(self, sample: NodeSample) -> tuple[Finding, ...]:
        """Return what began or ended with this sample."""
        steps = (self._driver_step, self._gpu_step, self._port_step)
        return tuple(finding for step in steps for finding in step(sample))

    def active(self, device: str) -> tuple[str, ...]:
        """Return the rules that hold for a GPU now."""
        room = self._gpus.get(device)
        return () if room is None else room.active

    def health(self, device: str) -> Health:
        """Return how ill these rules make a GPU; unknown where it was never read."""
        room = self._gpus.get(device)
        if room is None:
            return "unknown"
        if device in self._lost:
            return "lost"
        worst = [each.worst for each in room.aspects.values() if each.worst is not None]
        if not worst:
            return "ok"
        return "critical" if Severity.CRITICAL in worst else "warning"

    def snapshot(self) -> dict[str, Any]:
        """Return what was told and not cleared yet, as JSON."""
        return {
            "gpus": {device: of_room(room) for device, room in self._gpus.items()},
            "ports": {
                name: {**of_room(room), "was_up": port.was_up}
                for name, (port, room) in self._ports.items()
            },
            "node": of_room(self._node),
            "cooling": self._together.told,
            "driver": self._driver.answered,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on where an earlier process stopped: what it told is not told again, but cleared."""
        told = snapshot.get("cooling")
        self._together.told = None if told is None else Severity(told)
        for device, saved in snapshot.get("gpus", {}).items():
            room = self._gpus.setdefault(device, GpuRoom(self._limits))
            put_back(room, saved, untold=told is not None)
        for name, saved in snapshot.get("ports", {}).items():
            port, place = self._ports.setdefault(name, (Port(self._limits), Room()))
            port.was_up = bool(saved.get("was_up"))
            put_back(place, saved, untold=False)
        put_back(self._node, snapshot.get("node", {}), untold=False)
        self._driver.answered = bool(snapshot.get("driver"))

    def _driver_step(self, sample: NodeSample) -> Iterator[Finding]:
        if sample.driver == "off":
            return
        place = _Place("node", "", self._node, drivers.ASPECT)
        for reading in self._driver.read(sample.driver):
            if self._node.take(reading, drivers.ASPECT, sample.seconds) == "raised":
                yield from self._raise(sample, place, reading)
        yield from self._settle(sample, place)

    def _gpu_step(self, sample: NodeSample) -> Iterator[Finding]:
        present = {gpu.device: gpu for gpu in sample.gpus}
        # Nothing was read: by a driver that answers, that is news; else it says nothing of a GPU.
        if not present and sample.driver != "answers":
            return
        for gpu in sample.gpus:
            if not gpu.lost and (gpu.device in self._gpus or len(self._gpus) < DEVICES_MAX):
                room = self._gpus.setdefault(gpu.device, GpuRoom(self._limits))
                room.uuid = gpu.uuid or room.uuid
        self._lost = frozenset(
            device for device in self._gpus if (seen := present.get(device)) is None or seen.lost
        )
        hot: dict[str, Reading] = {}
        for device, room in self._gpus.items():
            for place, reading in self._raised(sample, device, room, present.get(device)):
                if place.aspect != thermal.ASPECT:
                    yield from self._raise(sample, place, reading)
                elif device not in hot or reading.rule.severity is Severity.CRITICAL:
                    hot[device] = reading
        yield from self._heat_step(sample, present, hot)
        for device, room in self._gpus.items():
            for aspect in tuple(room.aspects):
                yield from self._settle(sample, _Place("gpu", device, room, aspect))

    def _raised(
        self, sample: NodeSample, device: str, room: GpuRoom, gpu: GpuSample | None
    ) -> Iterator[tuple[_Place, Reading]]:
        """Yield what this look raised on one GPU."""
        for reading in room.readings(gpu, sample.seconds):
            aspect = aspect_of(reading.rule.name)
            if room.take(reading, aspect, sample.seconds) == "raised":
                yield _Place("gpu", device, room, aspect), reading

    def _heat_step(
        self, sample: NodeSample, present: Mapping[str, GpuSample], hot: Mapping[str, Reading]
    ) -> Iterator[Finding]:
        """Tell of heat: the node's where several GPUs are hot, else each GPU's own."""
        ill = {
            device: worst
            for device, room in self._gpus.items()
            if (worst := room.aspect(thermal.ASPECT).worst) is not None
        }
        warming = [
            device
            for device, room in self._gpus.items()
            if (gpu := present.get(device)) is not None and room.warms(gpu)
        ]
        # Of all that were ever read: a look that misses some makes the rest no greater part.
        verdict = self._together.judge(hot, ill, warming, len(self._gpus), sample.seconds)
        for device, reading in verdict.alone.items():
            place = _Place("gpu", device, self._gpus[device], thermal.ASPECT)
            yield from self._raise(sample, place, reading)
        if verdict.cooling is not None:
            yield self._cooling(sample, "raised", verdict.cooling, ill, warming)
        elif self._together.told is not None and not ill:
            severity, self._together.told = self._together.told, None
            yield self._cooling(sample, "cleared", severity, ill, warming)

    def _port_step(self, sample: NodeSample) -> Iterator[Finding]:
        present = {port.name: port for port in sample.ports}
        if not present:
            return
        for name in present:
            if name not in self._ports and len(self._ports) < DEVICES_MAX:
                self._ports[name] = Port(self._limits), Room()
        for name, (port, room) in self._ports.items():
            place = _Place("port", name, room, network.ASPECT)
            for reading in port.read(present.get(name), sample.seconds):
                if room.take(reading, network.ASPECT, sample.seconds) == "raised":
                    yield from self._raise(sample, place, reading)
            yield from self._settle(sample, place)

    def _raise(self, sample: NodeSample, place: _Place, reading: Reading) -> Iterator[Finding]:
        limits = self._limits
        severity = reading.rule.severity
        rule, says = reading.rule.name, reading.says
        told = place.room.aspect(place.aspect).raise_(
            rule, severity, sample.seconds, flaps=limits.flaps, window_s=limits.flap_window_s
        )
        if told is None:
            return
        if told == "flapping":
            rule = f"{place.aspect or 'gpu'}/flapping"
            minutes = limits.flap_window_s / 60
            says = f"more than {limits.flaps} times in {minutes:g} minutes; now: {says}"
        yield Finding(
            rule=rule,
            aspect=place.aspect,
            kind=place.kind,
            device=place.device,
            gpu_uuid=place.room.uuid or None,
            severity=severity,
            says=says,
            values=dict(reading.values),
            observed_at=sample.at,
        )

    def _settle(self, sample: NodeSample, place: _Place) -> Iterator[Finding]:
        state = place.room.aspect(place.aspect)
        severity, rule = state.told, state.rule
        if state.settle(sample.seconds, self._limits.flap_window_s) is None or severity is None:
            return
        yield Finding(
            rule=rule,
            state="cleared",
            aspect=place.aspect,
            kind=place.kind,
            device=place.device,
            gpu_uuid=place.room.uuid or None,
            severity=severity,
            says=_ALL_WELL,
            observed_at=sample.at,
        )

    def _cooling(
        self,
        sample: NodeSample,
        state: Literal["raised", "cleared"],
        severity: Severity,
        ill: Mapping[str, Severity],
        warming: Sequence[str],
    ) -> Finding:
        return Finding(
            rule=cooling.RULE,
            state=state,
            aspect=thermal.ASPECT,
            kind="node",
            severity=severity,
            says=_hot_words(ill, warming) if state == "raised" else _ALL_WELL,
            values={"hot": float(len(ill)), "warming": float(len(warming))},
            observed_at=sample.at,
        )


def _hot_words(ill: Mapping[str, Severity], warming: Sequence[str]) -> str:
    devices = sorted(ill.keys() | set(warming))
    return f"{len(devices)} GPUs are hot or heat up together: {', '.join(devices)}"[:SAYS_MAX]
