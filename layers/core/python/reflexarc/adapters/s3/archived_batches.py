"""Reads the archive of telemetry back: batches as they came, after redaction, before any rule.

`archive/<signal>/dt=YYYY-MM-DD/hour=HH/<message id>.pb.zst`, by the UTC hour in which they came.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from reflexarc.adapters.s3.errors import object_errors
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.packing import encoding_of, unpacked
from reflexarc.telemetry.recorded import Batch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ARCHIVE = "archive/"
SIGNALS: tuple[OtlpSignal, ...] = ("traces", "metrics", "logs")
_KEY = re.compile(r"archive/[a-z]+/dt=(\d{4}-\d\d-\d\d)/hour=(\d\d)/[^/]+")
_HOUR = timedelta(hours=1)
# A laptop's line is full with so many; each object waits in memory until its turn.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class _Object:
    key: str
    size: int
    signal: OtlpSignal
    hour: datetime


@dataclass(slots=True)
class ArchivedBatches:
    """The batches that came in a span of time, whole hours of it."""

    client: "S3Client"
    bucket: str
    since: datetime
    until: datetime
    signals: tuple[OtlpSignal, ...] = SIGNALS
    _listed: list[_Object] | None = field(default=None)

    @property
    def size(self) -> int:
        """Return how many bytes there are to read."""
        return sum(each.size for each in self._objects())

    @property
    def number(self) -> int:
        """Return how many batches there are."""
        return len(self._objects())

    def batches(self, progress: Callable[[int], None] = lambda _: None) -> Iterator[Batch]:
        """Yield every batch, by signal and then by time; raises Rejected where one is broken.

        `progress` is told how many bytes of the archive were read so far.
        """
        done = 0
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            left = iter(self._objects())
            running = [(each, pool.submit(self._read, each)) for each in islice(left, _AT_ONCE)]
            while running:
                found, body = running.pop(0)
                batch = self._batch(found, body)
                running += [(each, pool.submit(self._read, each)) for each in islice(left, 1)]
                yield batch
                done += found.size
                progress(done)

    def _objects(self) -> list[_Object]:
        if self._listed is None:
            self._listed = [each for signal in self.signals for each in self._of(signal)]
        return self._listed

    def _of(self, signal: OtlpSignal) -> Iterator[_Object]:
        """Yield the objects of a signal whose hour is touched by the span of time."""
        first = self.since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        day, last = first.date(), self.until.astimezone(UTC).date()
        pages = self.client.get_paginator("list_objects_v2")
        while day <= last:
            with object_errors("listing the archive"):
                for page in pages.paginate(
                    Bucket=self.bucket, Prefix=f"{ARCHIVE}{signal}/dt={day}/"
                ):
                    for each in page.get("Contents", ()):
                        hour = _hour_of(each["Key"])
                        if hour is not None and first <= hour < self.until:
                            yield _Object(each["Key"], each["Size"], signal, hour)
            day += timedelta(days=1)

    def _read(self, found: _Object) -> bytes:
        with object_errors(f"reading {found.key}"):
            return self.client.get_object(Bucket=self.bucket, Key=found.key)["Body"].read()

    def _batch(self, found: _Object, body: "Future[bytes]") -> Batch:
        packed = body.result()
        try:
            payload = unpacked(packed, encoding_of(packed))
        except Rejected as error:
            raise Rejected(f"{found.key}: {error}") from error
        where = f"s3://{self.bucket}/{found.key}"
        return Batch(signal=found.signal, payload=payload, where=where, at=found.hour)


def _hour_of(key: str) -> datetime | None:
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return datetime.fromisoformat(f"{found[1]}T{found[2]}:00:00+00:00")
