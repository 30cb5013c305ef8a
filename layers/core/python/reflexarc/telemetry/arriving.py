"""Reads one message of telemetry's queues: a batch, objects that somebody wrote, a part put back.

Nothing is unpacked here. A pointer is taken only into our own bucket and the prefix that its kind
of message may name, so that nobody makes us read, or delete, what is not theirs to hand in.
"""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from pydantic import BaseModel, ValidationError

from reflexarc.events.delivery import Delivery
from reflexarc.events.forward import Forward
from reflexarc.events.otlp_batch import OtlpBatch, OtlpSignal
from reflexarc.events.packed import Encoding, Packed, Pointer
from reflexarc.events.problems import first_of, problems_of
from reflexarc.kernel.errors import Rejected
from reflexarc.kernel.ids import ENTROPY_BYTES, ulid

INBOX, DIRECT = "inbox/", "inbox-direct/"
# What we wrote ourselves: parts that wait, and dead letters that an operator sends again.
OURS = ("forward/", "dead/")
# The Collector's awss3 exporter ends a key with {file_prefix}{signal}_{unique}.{json,binpb}[.gz].
# https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/exporter/awss3exporter/internal/upload/partition.go
_FILE = re.compile(r"(traces|metrics|logs)_")
_WORD = re.compile(r"(?<![a-z])(traces|metrics|logs)(?![a-z])")
_SIGNALS: dict[str, OtlpSignal] = {"traces": "traces", "metrics": "metrics", "logs": "logs"}
_PROBLEMS_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an object lies, and what is known of it before it is read."""

    key: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One batch as it came: its bytes, or where they lie. The id makes it count once."""

    id: str
    signal: OtlpSignal
    received_at: datetime
    source: str
    sender: str
    encoding: Encoding = "zstd"
    body: bytes = b""
    place: Place | None = None
    # Written by a forwarder: what it is shows when it is read.
    direct: bool = False
    # Ingest looked at it (engines/otlp/validity.py): every item is valid, every text is UTF-8.
    judged: bool = False


Message = Forward | tuple[Arrival, ...]
Model = TypeVar("Model", bound=BaseModel)


def read(delivery: Delivery, bucket: str) -> Message:
    """Return what a message says, no batch where it says nothing; raises Rejected, saying why."""
    try:
        document = json.loads(delivery.body)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the body is not JSON: {str(error)[:200]}") from error
    if not isinstance(document, dict):
        raise Rejected(f"the body is a JSON {type(document).__name__}, not an object")
    match document.get("schema"):
        case "otlp/1":
            return (_batch(_model(OtlpBatch, document), delivery, bucket),)
        case "forward/1":
            return _forward(_model(Forward, document), bucket)
    if isinstance(document.get("Records"), list):
        return tuple(_object(record, bucket) for record in document["Records"])
    if document.get("Event") == "s3:TestEvent":
        # S3 asks the queue once whether it listens.
        return ()
    raise Rejected("neither otlp/1, nor forward/1, nor an S3 notification")


def place_of(packed: OtlpBatch | Packed, bucket: str, prefixes: tuple[str, ...]) -> Place | None:
    """Return where a payload lies, None where the message holds it."""
    pointer = packed.pointer
    if pointer is None:
        return None
    _check(pointer, bucket, prefixes)
    return Place(key=pointer.key, size=pointer.size, sha256=pointer.sha256)


def inline(payload: str | None) -> bytes:
    """Return the bytes of a payload in base64."""
    try:
        return base64.b64decode(payload or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Rejected(f"the payload is not base64: {error}") from error


def _model(model: type[Model], document: dict[str, Any]) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        shown = "".join(first_of(problems_of(error, "message"), _PROBLEMS_SHOWN))
        raise Rejected(f"not a message of {document['schema']}: {shown}") from error


def _batch(batch: OtlpBatch, delivery: Delivery, bucket: str) -> Arrival:
    return Arrival(
        id=batch.id,
        signal=batch.signal,
        received_at=batch.received_at,
        source=batch.source.node,
        sender=delivery.sender,
        judged=delivery.relayed,
        encoding=batch.encoding,
        body=inline(batch.payload) if batch.payload is not None else b"",
        place=place_of(batch, bucket, (INBOX, *OURS)),
    )


def _forward(forward: Forward, bucket: str) -> Forward:
    place_of(forward, bucket, OURS)
    return forward


def _check(pointer: Pointer, bucket: str, prefixes: tuple[str, ...]) -> None:
    if pointer.bucket != bucket:
        raise Rejected(f"the pointer leads out of our bucket, to {pointer.bucket[:100]!r}")
    if not pointer.key.startswith(prefixes):
        raise Rejected(f"the pointer leads to {pointer.key[:100]!r}, where no batch is handed in")


def _object(record: Any, bucket: str) -> Arrival:
    """Return the batch in an object that S3 tells of.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    try:
        found, at = record["s3"], datetime.fromisoformat(record["eventTime"])
        name, key = str(found["bucket"]["name"]), unquote_plus(str(found["object"]["key"]))
        size = int(found["object"]["size"])
        mark = f"{key}\x1f{found['object'].get('sequencer', '')}\x1f{found['object'].get('eTag')}"
        writer = str(record.get("userIdentity", {}).get("principalId", ""))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected(f"no S3 notification that makes sense: {error!r}"[:300]) from error
    if name != bucket or not key.startswith(DIRECT):
        raise Rejected(f"the notification tells of {name[:100]}/{key[:100]}, not of {DIRECT}")
    if at.tzinfo is None:
        raise Rejected("the notification's eventTime names no time zone")
    return Arrival(
        # S3 may tell twice of one write; the sequencer is of the write.
        id=ulid(at, hashlib.sha256(mark.encode()).digest()[:ENTROPY_BYTES]),
        signal=_signal(key),
        received_at=at,
        source=writer[:253] or "s3",
        sender=f"s3:{writer}",
        place=Place(key=key, size=size),
        direct=True,
    )


def _signal(key: str) -> OtlpSignal:
    """Return the signal that a key names last, its file's name before its folders."""
    named = _FILE.findall(key.rpartition("/")[2]) or _WORD.findall(key.lower())
    if not named:
        raise Rejected(f"the key {key[:200]!r} names none of traces, metrics and logs")
    return _SIGNALS[named[-1]]
