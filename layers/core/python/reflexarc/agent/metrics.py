"""The agent's own metrics as text for node_exporter's textfile collector.

https://github.com/prometheus/node_exporter#textfile-collector: a file that appears at once, by
being renamed, in Prometheus' text format.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reflexarc.agent.counters import Counters
from reflexarc.agent.courier import Courier
from reflexarc.agent.log import AgentLog
from reflexarc.agent.spool import Spool, SpoolState
from reflexarc.events.gpu_readings import SensorReport
from reflexarc.kernel.clock import Clock

_COUNTED = {
    "lines": "Log lines read.",
    "faults": "Fault lines seen, repeats included.",
    "collapsed": "Fault lines folded into a count.",
    "unparsed": "Lines that look like an Xid and do not parse.",
    "spoofed": "Fault lines that user space wrote to the kernel log.",
    "kernel_lost": "Records that the kernel overwrote before they were read.",
    "findings": "Transitions of the rules on this node.",
    "corroborated": "Faults that NVML or DCGM saw as well as the kernel log.",
    "samples": "Looks at the sensors.",
    "sent": "Messages that a queue accepted.",
    "faults_shed": "Faults lost because the spool was full or a queue refused them.",
    "readings_shed": "Heartbeats lost because the spool was full or a queue refused them.",
}
_STATUSES = ("ok", "absent", "failing", "hung", "off")
Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the metrics tell, at one instant."""

    version: str
    started: float
    counted: Mapping[str, int]
    spool: SpoolState
    waiting: Mapping[str, int]
    failures: Mapping[str, int]
    accepted_ago: Mapping[str, float | None]
    sensors: Sequence[SensorReport] = ()
    now: float = 0.0


def rendered(facts: Facts) -> str:
    """Return the facts in Prometheus' text format."""
    lines: list[str] = []

    def family(name: str, kind: str, says: str, samples: Iterable[Sample]) -> None:
        found = list(samples)
        if found:
            lines.append(f"# HELP reflexarc_agent_{name} {says}")
            lines.append(f"# TYPE reflexarc_agent_{name} {kind}")
        lines.extend(f"reflexarc_agent_{name}{_labels(each)} {value!r}" for each, value in found)

    family("info", "gauge", "Version of the agent.", [({"version": facts.version}, 1.0)])
    family("start_time_seconds", "gauge", "Start, Unix time.", [({}, facts.started)])
    for name, says in _COUNTED.items():
        family(f"{name}_total", "counter", says, [({}, float(facts.counted.get(name, 0)))])
    spool = facts.spool
    family("spool_bytes", "gauge", "Bytes that wait to be sent.", [({}, float(spool.bytes))])
    oldest = 0.0 if spool.oldest_at is None else max(facts.now - spool.oldest_at.timestamp(), 0.0)
    family("spool_oldest_seconds", "gauge", "Age of the oldest message that waits.", [({}, oldest)])
    family("spool_ok", "gauge", "1 if the spool can be written.", [({}, float(not spool.trouble))])
    family("waiting", "gauge", "Messages that wait to be sent.", _by_lane(facts.waiting))
    family(
        "send_failures_total", "counter", "Requests that a queue failed.", _by_lane(facts.failures)
    )
    family(
        "last_accepted_seconds",
        "gauge",
        "Seconds since a queue accepted a message.",
        _by_lane({name: ago for name, ago in facts.accepted_ago.items() if ago is not None}),
    )
    family(
        "sensor",
        "gauge",
        "1 for the status that a sensor has.",
        (
            ({"sensor": each.name, "status": status}, float(each.status == status))
            for each in facts.sensors
            for status in _STATUSES
        ),
    )
    return "\n".join(lines) + "\n"


@dataclass(slots=True, kw_only=True)
class MetricsFile:
    """Writes the file anew, whole, and never fails the agent."""

    path: Path
    version: str
    counters: Counters
    spool: Spool
    couriers: Sequence[Courier]
    clock: Clock
    monotonic: Callable[[], float]
    log: AgentLog
    sensors: Callable[[], Sequence[SensorReport]] = tuple
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock().timestamp()

    def write(self) -> None:
        """Replace the file by the numbers of now."""
        unfinished = self.path.with_name(f".{self.path.name}.unfinished")
        try:
            unfinished.write_text(rendered(self.facts()), encoding="utf-8")
            # The collector runs as another user.
            unfinished.chmod(0o644)
            os.replace(unfinished, self.path)  # noqa: PTH105 - atomic, and says so
        except OSError as error:
            self.log.warning(
                "the metrics file cannot be written: name a --metrics-file in a folder that exists"
                " and that this user may write",
                path=self.path,
                why=error,
            )

    def facts(self) -> Facts:
        """Return what there is to tell now."""
        spool = self.spool.report()
        now = self.monotonic()
        return Facts(
            version=self.version,
            started=self._started,
            counted=self.counters.published(spool).model_dump(),
            spool=spool,
            waiting={each.lane: self.spool.waiting(each.lane) for each in self.couriers},
            failures={each.lane: each.failures_ever for each in self.couriers},
            accepted_ago={
                each.lane: None if each.accepted_at is None else round(now - each.accepted_at, 1)
                for each in self.couriers
            },
            sensors=self.sensors(),
            now=self.clock().timestamp(),
        )


def _by_lane(values: Mapping[str, float]) -> list[Sample]:
    return [({"lane": lane}, float(value)) for lane, value in values.items()]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
