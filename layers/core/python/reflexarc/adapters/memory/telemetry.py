"""Fills Payloads and Batches (ingest) in memory."""

import hashlib
from dataclasses import dataclass, field

from reflexarc.events.otlp_batch import OtlpBatch
from reflexarc.events.packed import Pointer


@dataclass(frozen=True, slots=True)
class MemoryPayloads:
    """Payloads by key, as a bucket would hold them."""

    kept: dict[str, bytes] = field(default_factory=dict)
    bucket: str = "memory"

    def put(self, key: str, payload: bytes) -> Pointer:
        """Keep a payload; return what finds it again."""
        self.kept[key] = payload
        digest = hashlib.sha256(payload).hexdigest()
        return Pointer(bucket=self.bucket, key=key, size=len(payload), sha256=digest)


@dataclass(frozen=True, slots=True)
class MemoryBatches:
    """Keeps the batches that were handed over, each with who sent it."""

    sent: list[tuple[OtlpBatch, str]] = field(default_factory=list)

    def send(self, batch: OtlpBatch, sender: str) -> None:
        """Keep one batch."""
        self.sent.append((batch, sender))
