"""Fills ingest.ports.Payloads, and reads again what it kept: payloads by pointer."""

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.s3.errors import object_errors
from reflexarc.events.otlp_batch import Pointer
from reflexarc.kernel.errors import Rejected

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INBOX = "inbox/"
# What a function URL takes, and what SQS, Lambda and a reader's memory were measured with.
SIZE_MAX = 6 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class S3PayloadStore:
    """Objects of the stack's own bucket. A pointer out of it is followed nowhere.

    Whoever may write to the queue may write any pointer: it must not make us read for them what
    they may not read themselves.
    """

    client: "S3Client"
    bucket: str
    prefix: str = INBOX

    def put(self, key: str, payload: bytes) -> Pointer:
        """Keep a payload; return what finds it again."""
        digest = hashlib.sha256(payload)
        with object_errors(f"keeping {key}"):
            self.client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=payload,
                # Held against what arrives, so that what a pointer promises is what is there.
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            )
        return Pointer(bucket=self.bucket, key=key, size=len(payload), sha256=digest.hexdigest())

    def get(self, pointer: Pointer) -> bytes:
        """Return what was kept; raises Rejected where it is not that, or lies elsewhere."""
        if pointer.bucket != self.bucket or not pointer.key.startswith(self.prefix):
            raise Rejected(
                f"the pointer leads out of {self.prefix}, to {pointer.bucket[:80]!r} "
                f"{pointer.key[:200]!r}"
            )
        if pointer.size > SIZE_MAX:
            raise Rejected(f"the payload has {pointer.size:,} bytes; {SIZE_MAX:,} are read at most")
        with object_errors(f"reading {pointer.key}"):
            found = self.client.get_object(Bucket=self.bucket, Key=pointer.key)
            payload = found["Body"].read(pointer.size + 1)
        if len(payload) != pointer.size or hashlib.sha256(payload).hexdigest() != pointer.sha256:
            raise Rejected(f"what lies at {pointer.key} is not what the pointer says")
        return payload
