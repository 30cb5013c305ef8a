"""What telemetry_rules needs: the rules and redaction, places to keep things, and where to send."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

from reflexarc.engines.redact.model import Redacted
from reflexarc.events.delivery import Delivery
from reflexarc.events.forward import Forward
from reflexarc.events.gpu_readings import GpuReading
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.packed import Encoding, Pointer
from reflexarc.telemetry.accounting import Entry
from reflexarc.telemetry.arriving import Place
from reflexarc.telemetry.backends import Backend
from reflexarc.telemetry.model import Outcome


class Rules(Protocol):
    """The rules of one version of the document, compiled."""

    def apply(self, signal: OtlpSignal, payload: bytes) -> Outcome:
        """Return what is kept of a request; raises Rejected where it is none."""
        ...


class Redactor(Protocol):
    """Takes out what must not leave."""

    def apply(self, signal: OtlpSignal, payload: bytes, *, parsed: bool = False) -> Redacted:
        """Return the request as it may leave; raises Rejected where it is none.

        `parsed`: protobuf's own reader has read it whole.
        """
        ...


class Payloads(Protocol):
    """Our bucket: what was handed in, what waits for a backend, what a backend refused."""

    def read(self, place: Place) -> bytes:
        """Return an object; raises Rejected where it is gone or another, or Unavailable."""
        ...

    def keep(self, key: str, body: bytes) -> Pointer:
        """Store an object, the same again changes nothing; raises Unavailable."""
        ...

    def drop(self, key: str) -> None:
        """Delete an object; raises Unavailable."""
        ...


class Archive(Protocol):
    """Keeps batches as they came, after redaction and before any rule."""

    def keep(self, key: str, body: bytes, facts: Mapping[str, str]) -> None:
        """Store a batch, the same again changes nothing; raises Unavailable."""
        ...


class Ledger(Protocol):
    """Knows what was accounted for, and counts it once; raises Unavailable when it cannot."""

    def known(self, ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return which of these were accounted for, each with its parts that wait.

        Consistent reads.
        """
        ...

    def settle(self, entry: Entry, now: datetime) -> bool:
        """Count an entry and remember its id, both or nothing; False where it was known before."""
        ...

    def resent(self, entry: Entry) -> None:
        """Count what an entry sent on although somebody else was faster to account for it."""
        ...


class Exporter(Protocol):
    """Speaks OTLP/HTTP to backends."""

    def send(
        self, backend: Backend, signal: OtlpSignal, body: bytes, encoding: Encoding
    ) -> tuple[int, str]:
        """Return how many items the backend rejected of a request that it took, and its words.

        Raises RateLimited or Unavailable where it may take the request later, TooLarge where it
        may take less, and Rejected where it never will.
        """
        ...


class ForwardQueue(Protocol):
    """Brings what a backend did not take back later."""

    def put(self, forward: Forward, delay: timedelta) -> None:
        """Send a delayed message; raises Unavailable."""
        ...


class Refusals(Protocol):
    """Keeps what a backend refused for good, where an operator finds it and may send it again."""

    def keep(self, forward: Forward, reason: str) -> None:
        """Store the message with its reason; raises Unavailable."""
        ...


class DeadLetters(Protocol):
    """Keeps messages that can never succeed, with the reason."""

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Store the message; raises Unavailable when it could not be stored."""
        ...


Destination = Literal["gpu-faults", "gpu-readings", "llm-spans", "series"]


class Others(Protocol):
    """Hands messages to the queues of other parts of reflexarc."""

    def send(self, to: Destination, bodies: Sequence[str], sender: str) -> None:
        """Send messages, with who the telemetry is of; raises Unavailable unless all were taken."""
        ...


class KernelLog(Protocol):
    """Recognises faults in the kernel lines of one node, in their order."""

    def see(self, text: str) -> Sequence[tuple[str, str]]:
        """Return the faults that a text reports, each as line and key that its repeats share."""
        ...


class GpuPage(Protocol):
    """Reads DCGM's metrics."""

    def readings(
        self, points: Iterable[tuple[str, Mapping[str, str], float]]
    ) -> tuple[GpuReading, ...]:
        """Return the GPUs that points (name, labels, value) of one node tell of."""
        ...


class Sketches(Protocol):
    """Keeps the hours' sketches of how many values an attribute has."""

    def merge(self, hour: datetime, metric: str, sketches: Mapping[str, bytes]) -> None:
        """Join sketches into the hour's, by attribute; raises Unavailable."""
        ...
