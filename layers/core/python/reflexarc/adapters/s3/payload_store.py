"""Fills ingest.ports.Payloads: keeps what is too large for a message, and points at it."""

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.s3.errors import object_errors
from reflexarc.events.packed import Pointer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class S3PayloadStore:
    """Objects of the stack's own bucket."""

    client: "S3Client"
    bucket: str

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
