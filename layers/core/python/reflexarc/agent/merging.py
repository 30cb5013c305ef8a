"""Views of several sensors become one: the first that knows a field has the word. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from reflexarc.events.gpu_readings import Vitals
from reflexarc.gpu.watch.model import GpuSample, Observation, PortSample

_FILLED = tuple(each.name for each in fields(GpuSample) if each.name not in ("device", "lost"))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What all sensors together know of the node now."""

    gpus: tuple[GpuSample, ...] = ()
    ports: tuple[PortSample, ...] = ()
    vitals: Vitals | None = None
    driver: str = ""


@dataclass(slots=True)
class Merger:
    """Merges observations in the order of trust: NVML first, then the DCGM exporter.

    A GPU that the first of them has ever shown is here only while that one shows it: an exporter
    that is scraped more rarely would keep a lost GPU alive. What only a later one ever showed is
    taken from there.
    """

    _shown_by_first: set[str] = field(default_factory=set)

    def merge(self, first: Observation | None, others: Sequence[Observation]) -> View:
        """Return one view; `first` is None while the driver's own library does not answer."""
        found: dict[str, GpuSample] = {}
        if first is not None:
            found = {each.device: _finite(each) for each in first.gpus if each.device}
            self._shown_by_first |= found.keys()
        for observation in others:
            for gpu in observation.gpus:
                if known := found.get(gpu.device):
                    found[gpu.device] = _filled(known, _finite(gpu))
                elif gpu.device and (first is None or gpu.device not in self._shown_by_first):
                    found[gpu.device] = _finite(gpu)
        everything = ([first] if first is not None else []) + list(others)
        return View(
            gpus=tuple(found.values()),
            ports=_ports(everything),
            vitals=next((each.vitals for each in everything if each.vitals is not None), None),
            driver=next((each.driver for each in everything if each.driver), ""),
        )


def _filled(known: GpuSample, other: GpuSample) -> GpuSample:
    """Return the sample with what it lacks from another; a lost GPU has no readings."""
    if known.lost:
        return known
    missing: dict[str, Any] = {
        name: value
        for name in _FILLED
        if getattr(known, name) in (None, "") and (value := getattr(other, name)) is not None
    }
    return replace(known, **missing) if missing else known


def _finite(gpu: GpuSample) -> GpuSample:
    """Return the sample without numbers that are none: NaN compares with nothing."""
    broken: dict[str, Any] = {
        name: None
        for name in _FILLED
        if isinstance(value := getattr(gpu, name), float) and not math.isfinite(value)
    }
    return replace(gpu, **broken) if broken else gpu


def _ports(observations: Iterable[Observation]) -> tuple[PortSample, ...]:
    found: dict[str, PortSample] = {}
    for observation in observations:
        for port in observation.ports:
            found.setdefault(port.name, port)
    return tuple(found.values())
