"""Finds kernel lines, and what stands beside them, in a document of unknown shape. Pure.

Names of fields may have changed, so only values count: a string that parses as a fault is one, the
times beside it are its times. What is found is bounded, because the document may be hostile.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import (
    ASPECT_MAX,
    LINE_MAX,
    RULE_PATTERN,
    SAYS_MAX,
    Finding,
    Job,
)
from reflexarc.events.severity import Severity
from reflexarc.gpu.parse import parse
from reflexarc.kernel.ids import ENTROPY_BYTES, ULID_PATTERN, ulid

FAULTS_MAX = 5_000
DEPTH_MAX = 16
NODE_MAX = 253
_EPOCH = datetime.fromtimestamp(0, UTC)
_NODE_KEYS = ("node", "node_name", "nodename", "hostname", "host", "instance", "instance_id")
_SENT_KEYS = ("sent_at", "sent", "time", "timestamp")
_ULID = re.compile(ULID_PATTERN)
_RULE = re.compile(RULE_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """One reported fault and what its reporter knew about it; None where it did not say."""

    line: str
    observed_at: datetime | None = None
    last_at: datetime | None = None
    count: int = 1
    gpu_uuid: str | None = None
    process: str | None = None
    job: Job | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Who sent a document of unknown shape, and when, as far as it says."""

    id: str
    source: Source
    seq: int | None
    sent_at: datetime | None


def faults_in(value: object, marks: tuple[str, ...] = ()) -> tuple[Salvaged, ...]:
    """Return the faults that a JSON value holds, in order, at most FAULTS_MAX."""
    found: list[Salvaged] = []
    for fault in _walk(value, marks, DEPTH_MAX):
        found.append(fault)
        if len(found) == FAULTS_MAX:
            break
    return tuple(found)


def findings_in(value: object, unseen: datetime) -> tuple[Finding, ...]:
    """Return what reads as findings in a JSON value, in order, at most FAULTS_MAX.

    One that does not validate is read as far as possible, and never as an all-clear: a wrong page
    costs less than a wrong end of one. `unseen` is the time of one that names none.
    """
    found: list[Finding] = []
    for record in _records(value, DEPTH_MAX):
        finding = _finding(record, unseen)
        if finding is not None:
            found.append(finding)
            if len(found) == FAULTS_MAX:
                break
    return tuple(found)


def address_of(document: Mapping[str, Any], message_id: str) -> Address | None:
    """Return the sender of a document, or None when it names no node.

    The id is the document's own where it is a ULID; any other id is hashed into one, and a missing
    one is made of the queue's, so that the same message always has the same id.
    """
    source = document.get("source")
    places = [source, document] if isinstance(source, Mapping) else [document]
    node = next((name for place in places for name in _names(place)), None)
    if node is None:
        return None
    return Address(
        id=_id_of(document.get("id"), message_id),
        source=Source(
            node=node, agent=_text(places[0].get("agent")), boot_id=_text(places[0].get("boot_id"))
        ),
        seq=_count(document.get("seq"), least=0),
        sent_at=next((at for key in _SENT_KEYS if (at := _time(document.get(key)))), None),
    )


def clean(text: str) -> str:
    """Return the text without lone surrogates, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _walk(value: object, marks: tuple[str, ...], depth: int) -> Iterator[Salvaged]:
    if isinstance(value, str):
        if _reads_as_fault(value):
            yield Salvaged(line=clean(value)[:LINE_MAX], marks=marks)
    elif isinstance(value, Mapping) and depth and not _names_rule(value):
        lines = [part for part in value.values() if isinstance(part, str)]
        line = next((part for part in lines if _reads_as_fault(part)), None)
        if line is not None:
            yield _beside(line, value, marks)
        for part in value.values():
            if not isinstance(part, str):
                yield from _walk(part, marks, depth - 1)
    elif isinstance(value, list) and depth:
        for part in value:
            yield from _walk(part, marks, depth - 1)


def _names_rule(record: Mapping[str, Any]) -> bool:
    rule = record.get("rule")
    return isinstance(rule, str) and _RULE.fullmatch(rule) is not None


def _records(value: object, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield the objects that name a rule."""
    if isinstance(value, Mapping) and _names_rule(value):
        yield value
    elif isinstance(value, Mapping | list) and depth:
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _records(part, depth - 1)


def _finding(record: Mapping[str, Any], unseen: datetime) -> Finding | None:
    try:
        return Finding.model_validate(record)
    except ValidationError:
        pass
    if record.get("state", "raised") != "raised":
        return None
    times = sorted(at for part in record.values() if (at := _time(part)))
    says = next((record[key] for key in ("says", "message") if _is_text(record.get(key))), "")
    device, aspect = record.get("device"), record.get("aspect")
    kind = record.get("kind")
    return Finding(
        rule=record["rule"],
        aspect=clean(aspect)[:ASPECT_MAX] if isinstance(aspect, str) else "",
        kind=kind if kind in {"nvswitch", "node", "port"} else "gpu",
        device=_text(device),
        severity=_severity(record.get("severity")),
        says=clean(says)[:SAYS_MAX],
        observed_at=times[0] if times else unseen,
        job=_job(record.get("job")),
    )


def _severity(value: object) -> Severity:
    try:
        return Severity(str(value))
    except ValueError:
        return Severity.WARNING


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _reads_as_fault(text: str) -> bool:
    fault = parse(text)
    return fault.kind != "none" or fault.suspicious


def _beside(line: str, record: Mapping[str, Any], marks: tuple[str, ...]) -> Salvaged:
    """Return a fault with what its record says beside the line."""
    times = sorted(at for part in record.values() if (at := _time(part)))
    uuid = next((part for part in record.values() if _is_uuid(part)), None)
    process = record.get("process")
    return Salvaged(
        line=clean(line)[:LINE_MAX],
        observed_at=times[0] if times else None,
        last_at=times[-1] if times else None,
        count=_count(record.get("count"), least=1) or 1,
        gpu_uuid=None if uuid is None else clean(uuid),
        process=clean(process) if isinstance(process, str) and process else None,
        job=_job(record.get("job")),
        marks=marks,
    )


def _job(value: object) -> Job | None:
    try:
        return None if value is None else Job.model_validate(value)
    except ValidationError:
        return None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _names(place: Mapping[str, Any]) -> Iterator[str]:
    for key in _NODE_KEYS:
        name = place.get(key)
        if isinstance(name, str) and 0 < len(name) <= NODE_MAX:
            yield clean(name)


def _text(value: object) -> str:
    return clean(value) if isinstance(value, str) else ""


def _count(value: object, *, least: int) -> int | None:
    """Return a whole number that JSON can carry exactly, and no boolean."""
    return value if type(value) is int and least <= value < 2**53 else None


def _is_uuid(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("GPU-", "MIG-"))


def _id_of(own: object, message_id: str) -> str:
    if isinstance(own, str) and _ULID.fullmatch(own):
        return own
    seed = own if isinstance(own, str) and own else message_id
    return ulid(_EPOCH, hashlib.sha256(clean(seed).encode()).digest()[:ENTROPY_BYTES])
