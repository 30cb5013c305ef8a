"""Who holds each device by all that is known, and who held it last. Pure but for its memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reflexarc.events.gpu_faults import Job

# In order of trust: who hands out devices, then who wrote down what was handed out, then who
# runs on the device, which may be a monitor.
SOURCES = ("kubelet", "slurm", "hpc", "dcgm", "processes")
# What a sensor told stands for three of the kubelet's looks, and a little.
STANDS_S = 35.0
LAST_S = 24 * 3600.0
PLACES_MAX = 2_048
_SAME = ("id", "name")
_FILLS = ("id", "name", "owner", "namespace", "workload", "container", "nodes", "rank")


@dataclass(slots=True)
class _Told:
    jobs: Mapping[str, Job]
    until: float


@dataclass(slots=True)
class Holders:
    """Keeps what each source told last, and the last owner of each place for a day."""

    _told: dict[str, _Told] = field(default_factory=dict)
    _last: dict[str, tuple[Job, float]] = field(default_factory=dict)

    def tell(
        self, source: str, jobs: Mapping[str, Job], now: float, *, stands_s: float = STANDS_S
    ) -> None:
        """Replace what one source said; it stands until told anew or too long ago."""
        before = self._told.get(source)
        if before is None or before.jobs != jobs:
            # Who held what until now is remembered before it is forgotten.
            self.remember(now)
        self._told[source] = _Told(dict(jobs), now + stands_s)
        if before is None or before.jobs != jobs:
            self.remember(now)

    def remember(self, now: float) -> None:
        """Note who holds what now, and forget who held something a day ago."""
        for place in self.held(now):
            job = self.now(place, now)
            if job is not None and (place in self._last or len(self._last) < PLACES_MAX):
                self._last[place] = (job, now)
        for place in [p for p, (_, seen) in self._last.items() if now - seen > LAST_S]:
            del self._last[place]

    def held(self, now: float) -> set[str]:
        """Return the places that somebody holds."""
        return {place for told in self._told.values() if told.until > now for place in told.jobs}

    def now(self, place: str, now: float) -> Job | None:
        """Return the holder by the most trusted source, with what others know of the same job."""
        known = [
            told.jobs[place]
            for source in SOURCES
            if (told := self._told.get(source)) and told.until > now and place in told.jobs
        ]
        return _merged(known[0], known[1:]) if known else None

    def last(self, place: str, now: float) -> Job | None:
        """Return who holds the place, or held it last within a day, then marked ended."""
        if (job := self.now(place, now)) is not None:
            return job
        kept = self._last.get(place)
        if kept is None or now - kept[1] > LAST_S:
            return None
        return kept[0].model_copy(update={"ended": True})

    def instances(self, device: str) -> list[str]:
        """Return the GPU instances of a device that somebody holds or held."""
        told = {place for told in self._told.values() for place in told.jobs}
        return sorted(p for p in told | self._last.keys() if p.startswith(f"{device}/"))


def _merged(best: Job, others: Iterable[Job]) -> Job:
    for other in others:
        if _same(best, other):
            missing = {
                name: value
                for name in _FILLS
                if not getattr(best, name) and (value := getattr(other, name))
            }
            best = best.model_copy(update=missing) if missing else best
    return best


def _same(one: Job, other: Job) -> bool:
    """Tell whether both are one job: they agree in id or name and differ in neither."""
    if one.scheduler != other.scheduler:
        return False
    both = [(a, b) for f in _SAME if (a := getattr(one, f)) and (b := getattr(other, f))]
    return bool(both) and all(a == b for a, b in both)
