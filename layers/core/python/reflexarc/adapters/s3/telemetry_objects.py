"""Fills telemetry.ports.Payloads and Archive with the stack's own bucket."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.s3.errors import object_errors
from reflexarc.adapters.s3.payload_store import S3PayloadStore
from reflexarc.events.packed import Pointer
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.arriving import Place
from reflexarc.telemetry.packing import UNPACKED_MAX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class S3TelemetryObjects:
    """What was handed in, what waits and what was refused. Who may name which key is checked."""

    client: "S3Client"
    bucket: str

    def read(self, place: Place) -> bytes:
        """Return an object; raises Rejected where it is gone or another, or Unavailable."""
        if place.size > UNPACKED_MAX:
            raise Rejected(f"{place.key} has {place.size:,} bytes; {UNPACKED_MAX:,} are read")
        with object_errors(f"reading {place.key}"):
            found = self.client.get_object(Bucket=self.bucket, Key=place.key)
            body = found["Body"].read(place.size + 1)
        if len(body) != place.size:
            raise Rejected(f"{place.key} is not the object that was sent: its size is another")
        if place.sha256 and hashlib.sha256(body).hexdigest() != place.sha256:
            raise Rejected(f"{place.key} is not the object that was sent: its digest is another")
        return body

    def keep(self, key: str, body: bytes) -> Pointer:
        """Store an object, the same again changes nothing; raises Unavailable."""
        return S3PayloadStore(self.client, self.bucket).put(key, body)

    def drop(self, key: str) -> None:
        """Delete an object; raises Unavailable. One that is gone already is as good."""
        with object_errors(f"deleting {key}"):
            self.client.delete_object(Bucket=self.bucket, Key=key)


@dataclass(frozen=True, slots=True)
class S3Archive:
    """Batches by signal and hour; a batch that is kept again takes its own place."""

    client: "S3Client"
    bucket: str

    def keep(self, key: str, body: bytes, facts: Mapping[str, str]) -> None:
        """Store a batch with facts as its metadata; raises Unavailable."""
        with object_errors(f"archiving {key}"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata=dict(facts))
