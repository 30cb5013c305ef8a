"""Fills the ports of telemetry_rules in memory."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reflexarc.events.forward import Forward
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.packed import Pointer
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.accounting import TOTALS, Entry, Row
from reflexarc.telemetry.arriving import Place
from reflexarc.telemetry.packing import UNPACKED_MAX
from reflexarc.telemetry.ports import Destination


@dataclass(frozen=True, slots=True)
class MemoryTelemetryObjects:
    """Objects by key, as a bucket would hold them."""

    bucket: str = "telemetry"
    kept: dict[str, bytes] = field(default_factory=dict)

    def read(self, place: Place) -> bytes:
        """Return an object; raises Rejected where it is gone or another."""
        if place.size > UNPACKED_MAX:
            raise Rejected(f"{place.key} has {place.size:,} bytes; {UNPACKED_MAX:,} are read")
        if place.key not in self.kept:
            raise Rejected(f"nothing lies at {place.key}")
        body = self.kept[place.key]
        digest = hashlib.sha256(body).hexdigest()
        if len(body) != place.size or place.sha256 not in {"", digest}:
            raise Rejected(f"{place.key} is not the object that was sent")
        return body

    def keep(self, key: str, body: bytes) -> Pointer:
        """Store an object."""
        self.kept[key] = body
        digest = hashlib.sha256(body).hexdigest()
        return Pointer(bucket=self.bucket, key=key, size=len(body), sha256=digest)

    def drop(self, key: str) -> None:
        """Delete an object; one that is gone already is as good."""
        self.kept.pop(key, None)


@dataclass(frozen=True, slots=True)
class MemoryArchive:
    """Batches by key, each with its facts."""

    kept: dict[str, tuple[bytes, Mapping[str, str]]] = field(default_factory=dict)

    def keep(self, key: str, body: bytes, facts: Mapping[str, str]) -> None:
        """Store a batch with facts."""
        self.kept[key] = body, dict(facts)


@dataclass(frozen=True, slots=True)
class MemoryLedger:
    """Ids that were counted, and the numbers of each row of an hour."""

    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: dict[tuple[datetime, OtlpSignal, int, str], dict[str, int]] = field(
        default_factory=dict
    )

    def known(self, ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return which of these were accounted for, each with its parts that wait."""
        return {each: frozenset(self.ids[each]) for each in ids if each in self.ids}

    def settle(self, entry: Entry, now: datetime) -> bool:  # noqa: ARG002 - the port's
        """Count an entry and remember its id, both or nothing; False where it was known before."""
        if entry.id in self.ids:
            return False
        self.ids[entry.id] = entry.waits
        for name, numbers in entry.rows.items():
            if numbers:
                self._add(entry, name, numbers)
        return True

    def resent(self, entry: Entry) -> None:
        """Count what an entry sent on although somebody else was faster to account for it."""
        sent = {
            "to.resent." + name.removeprefix("to.sent."): number
            for name, number in entry.rows[TOTALS].items()
            if name.startswith("to.sent.")
        }
        self._add(entry, TOTALS, sent)

    def rows(self, since: datetime, until: datetime) -> Sequence[Row]:
        """Return the rows of the hours that begin in a span of time."""
        return [
            Row(hour=hour, signal=signal, version=version, name=name, numbers=numbers)
            for (hour, signal, version, name), numbers in self.numbers.items()
            if since <= hour < until
        ]

    def _add(self, entry: Entry, name: str, numbers: Mapping[str, int]) -> None:
        key = entry.hour, entry.signal, entry.version, name
        row = self.numbers.setdefault(key, {})
        for each, number in numbers.items():
            row[each] = row.get(each, 0) + number


@dataclass(frozen=True, slots=True)
class MemoryForwardQueue:
    """Keeps what was put back, each with its delay, in order."""

    put_back: list[tuple[Forward, timedelta]] = field(default_factory=list)

    def put(self, forward: Forward, delay: timedelta) -> None:
        """Keep one delayed message."""
        self.put_back.append((forward, delay))


@dataclass(frozen=True, slots=True)
class MemoryRefusals:
    """Keeps what backends refused for good, each with the reason."""

    kept: list[tuple[Forward, str]] = field(default_factory=list)

    def keep(self, forward: Forward, reason: str) -> None:
        """Keep the message and the reason."""
        self.kept.append((forward, reason))


@dataclass(frozen=True, slots=True)
class MemoryOthers:
    """Keeps what was handed on, by destination, each with who the telemetry is of."""

    sent: dict[Destination, list[tuple[str, str]]] = field(default_factory=dict)

    def send(self, to: Destination, bodies: Sequence[str], sender: str) -> None:
        """Keep the messages."""
        self.sent.setdefault(to, []).extend((body, sender) for body in bodies)


@dataclass(frozen=True, slots=True)
class MemorySketches:
    """Sketches by hour and metric, joined by `join`."""

    join: Callable[[bytes, bytes], bytes]
    kept: dict[tuple[datetime, str], dict[str, bytes]] = field(default_factory=dict)

    def merge(self, hour: datetime, metric: str, sketches: Mapping[str, bytes]) -> None:
        """Join sketches into the hour's, by attribute."""
        known = self.kept.setdefault((hour, metric), {})
        for name, sketch in sketches.items():
            known[name] = self.join(known[name], sketch) if name in known else sketch
