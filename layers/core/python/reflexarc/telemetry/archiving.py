"""How a batch is archived: by signal and hour, after redaction, before any rule. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC

from reflexarc.events.packed import Encoding
from reflexarc.telemetry.arriving import Arrival
from reflexarc.telemetry.model import Account
from reflexarc.telemetry.packing import packed

_SUFFIXES: Mapping[Encoding, str] = {"zstd": "pb.zst", "gzip": "pb.gz"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A batch as it is kept; `facts` stand beside it, so that a listing tells what is in it."""

    key: str
    body: bytes
    facts: Mapping[str, str]


def archived(
    arrival: Arrival,
    payload: bytes,
    original: tuple[Encoding, bytes] | None,
    account: Account,
    redacted: Mapping[str, int],
) -> Archived:
    """Return what to keep of a batch: the bytes that came, where redaction changed nothing."""
    encoding, body = original or ("identity", payload)
    if encoding == "identity":
        encoding, body = "zstd", packed(payload, "zstd")
    at = arrival.received_at.astimezone(UTC)
    folder = f"archive/{arrival.signal}/dt={at:%Y-%m-%d}/hour={at:%H}"
    return Archived(
        key=f"{folder}/{arrival.id}.{_SUFFIXES[encoding]}",
        body=body,
        facts={
            "items": str(account.received),
            "size": str(len(payload)),
            "rules-version": str(account.version),
            "redacted": str(sum(redacted.values())),
        },
    )
