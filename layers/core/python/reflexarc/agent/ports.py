"""What the agent needs from the outside world."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from reflexarc.agent.lines import Chunk
from reflexarc.events.gpu_faults import Finding, Job
from reflexarc.events.gpu_readings import Health
from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.watch.model import NodeSample, Observation, XidSeen
from reflexarc.kernel.errors import ReflexError


class LineSource(Protocol):
    """A log that is read line by line, in a thread of its own."""

    @property
    def name(self) -> str:
        """Return the name under which the position in this source is kept."""

    def read(self, timeout: float) -> Chunk | None:
        """Return what came within the timeout, None if nothing did; a last chunk has `ended`.

        Raises OSError when the source cannot be read now; the next call tries again.
        """

    def close(self) -> None:
        """Give files and devices back."""


class Queue(Protocol):
    """Takes messages over for delivery."""

    def send(self, entries: Sequence[tuple[str, str]]) -> Mapping[str, ReflexError]:
        """Hand over (id, body) pairs; return why some were not accepted, by id.

        Rejected: the queue will never take this message. Unavailable: try it again. Raises
        Unavailable, with advice, when it is not known that any was accepted.
        """


class Sensor(Protocol):
    """Looks at one part of the node, again and again, in a thread of its own.

    `read` may take as long as the hardware lets it. It raises Rejected where the thing is not here
    (no library, no such file, too old a driver; looked for again every minute) and Unavailable
    where it is here and fails now. Either message says why, and what to do.
    """

    @property
    def name(self) -> str:
        """Return the name that reports and logs use."""

    @property
    def interval_s(self) -> float:
        """Return the seconds between two looks; 0 for a sensor whose read itself waits."""

    def read(self) -> Observation:
        """Look once."""

    def close(self) -> None:
        """Give handles and connections back."""


class Owners(Protocol):
    """Knows whose work runs, or last ran, on a device. Never blocks for long, never raises."""

    def of_process(self, pid: int) -> tuple[str, Job | None]:
        """Return name and job of a process, read from /proc at once, before it is gone."""

    def of_device(self, device: str, gpu_instance: int | None = None) -> Job | None:
        """Return the job that holds a device, or the last that held it, marked `ended`."""

    def busy(self) -> frozenset[str]:
        """Return the devices that a job or a process holds now."""

    def learn(self, observation: Observation) -> None:
        """Take in what a sensor saw: processes on a GPU, job labels."""


class Rules(Protocol):
    """Judges one sample of the node after the other; owned by one thread."""

    def step(self, sample: NodeSample) -> Sequence[Finding]:
        """Return what began or ended with this sample."""

    def snapshot(self) -> Mapping[str, Any]:
        """Return what must be remembered over a restart, as JSON."""

    def active(self, device: str) -> tuple[str, ...]:
        """Return the rules that hold for a GPU now."""

    def health(self, device: str) -> Health:
        """Return how ill these rules make it; ok where none holds."""


class Witnesses(Protocol):
    """Compares what NVML and DCGM saw with the kernel log, so that no fault counts twice."""

    @property
    def corroborated(self) -> int:
        """Return how many faults both saw."""

    def kernel(self, fault: FaultLine, seconds: float) -> None:
        """Take note of a fault line of the kernel's log."""

    def seen(self, xid: XidSeen, seconds: float) -> None:
        """Take note of what a second witness saw."""

    def due(self, seconds: float) -> Sequence[Finding]:
        """Return what the kernel log has not confirmed in time."""

    def snapshot(self) -> Mapping[str, Any]:
        """Return what must be remembered over a restart, as JSON."""

    def restore(self, state: Mapping[str, Any], seconds: float) -> None:
        """Go on where an earlier process stopped."""
