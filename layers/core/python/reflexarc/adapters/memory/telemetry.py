"""Fills Payloads and Batches (ingest) in memory."""

import hashlib
from dataclasses import dataclass, field

from reflexarc.events.otlp_batch import OtlpBatch, Pointer
from reflexarc.kernel.errors import Rejected


@dataclass(frozen=True, slots=True)
class MemoryPayloads:
    """Payloads by key, as a bucket would hold them."""

    kept: dict[str, bytes] = field(default_factory=dict)
    bucket: str = "memory"
    prefix: str = "inbox/"

    def put(self, key: str, payload: bytes) -> Pointer:
        """Keep a payload; return what finds it again."""
        self.kept[key] = payload
        digest = hashlib.sha256(payload).hexdigest()
        return Pointer(bucket=self.bucket, key=key, size=len(payload), sha256=digest)

    def get(self, pointer: Pointer) -> bytes:
        """Return what was kept; raises Rejected where it is not that, or lies elsewhere."""
        payload = self.kept.get(pointer.key)
        ours = pointer.bucket == self.bucket and pointer.key.startswith(self.prefix)
        if payload is None or not ours:
            raise Rejected(f"nothing lies at {pointer.key}")
        if len(payload) != pointer.size or hashlib.sha256(payload).hexdigest() != pointer.sha256:
            raise Rejected(f"what lies at {pointer.key} is not what the pointer says")
        return payload


@dataclass(frozen=True, slots=True)
class MemoryBatches:
    """Keeps the batches that were handed over, each with who sent it."""

    sent: list[tuple[OtlpBatch, str]] = field(default_factory=list)

    def send(self, batch: OtlpBatch, sender: str) -> None:
        """Keep one batch."""
        self.sent.append((batch, sender))
