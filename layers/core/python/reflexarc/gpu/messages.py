"""Reads one message of the gpu-faults queue: whole, in part, or as far as possible. Pure.

A fault is never swallowed. A record that does not validate is still searched for a kernel line, and
so is a message of another version: functions are deployed before agents, and some agents are old.
What could not be read is named, with its reason, so that it can be kept.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from reflexarc.events.delivery import Delivery
from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import Fault, Finding, GpuFaults
from reflexarc.events.problems import first_of, problems_of
from reflexarc.gpu.salvage import Salvaged, address_of, clean, faults_in, findings_in
from reflexarc.kernel.errors import Rejected

NAME = "gpu_faults"
VERSION = "1"
# A message is cut at 440 KiB by its sender; beyond 448 KiB it would have gone through S3.
BODY_MAX = 448 * 1024
_PROBLEMS_SHOWN = 3
_LISTS = ("faults", "findings")
Read = TypeVar("Read")
# Stands for the faults while the header is checked: a model of the header alone costs each function
# milliseconds at its start.
_ANY_FAULT = Fault(line="any", observed_at=datetime(2000, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What must not get lost although it could not be read, and why not."""

    body: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a message says, however much of it could be read."""

    id: str
    source: Source
    seq: int | None
    sent_at: datetime | None
    reports: tuple[Salvaged, ...]
    findings: tuple[Finding, ...] = ()
    marks: tuple[str, ...] = ()
    unread: Kept | None = None


def read(delivery: Delivery) -> Batch | None:
    """Return what a message says, or None for a canary; raises Rejected, saying why."""
    size = len(delivery.body.encode("utf-8", "replace"))
    if size > BODY_MAX:
        raise Rejected(
            f"the body has {size:,} bytes; a message of this queue has at most {BODY_MAX:,}"
        )
    try:
        message = GpuFaults.model_validate_json(delivery.body)
    except (ValidationError, UnicodeError):
        return _read_carefully(delivery)
    return Batch(
        id=message.id,
        source=message.source,
        seq=message.seq,
        sent_at=message.sent_at,
        reports=tuple(_report(fault) for fault in message.faults),
        findings=message.findings,
    )


def _read_carefully(delivery: Delivery) -> Batch | None:
    document = _object(delivery.body)
    schema = document.get("schema")
    if not isinstance(schema, str) or not schema:
        raise Rejected(f'the message names no schema; this queue takes "{NAME}/{VERSION}"')
    name, _, version = schema.partition("/")
    if name == "canary":
        return None
    if name != NAME:
        shown = clean(schema[:100])
        raise Rejected(f'unknown schema "{shown}"; this queue takes "{NAME}/{VERSION}"')
    if version == VERSION:
        return _read_each(document, delivery)
    mark = (
        f"sent in version {clean(version[:20]) or '(none)'} of the message, read as far as possible"
    )
    return _salvaged(document, delivery, mark)


def _object(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except json.JSONDecodeError as error:
        at_end = not body[error.pos :].strip() or error.msg.startswith("Unterminated")
        what = "the body was cut off" if at_end else "the body is not JSON"
        where = f"{error.msg}, character {error.pos:,} of {len(body):,}"
        raise Rejected(f"{what} ({where})") from error
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the body is not JSON that can be read ({type(error).__name__})") from error
    if not isinstance(document, dict):
        raise Rejected(f"the body is a JSON {type(document).__name__}, not an object")
    return document


def _read_each(document: dict[str, Any], delivery: Delivery) -> Batch:
    """Read a message of our own version of which some part does not validate."""
    faults, findings = _list(document, "faults"), _list(document, "findings")
    if not faults and not findings:
        raise Rejected("the message holds no list of faults or findings")
    try:
        header = GpuFaults.model_validate({**document, "faults": (_ANY_FAULT,), "findings": ()})
    except ValidationError as error:
        problem = _problems(error)
        batch = _salvaged(
            document, delivery, f"the message is damaged ({problem}), read as far as possible"
        )
        return replace(batch, unread=Kept(body=delivery.body, reason=f"damaged message: {problem}"))
    read_faults = _read_faults(faults)
    read_findings = _read_findings(findings, delivery)
    no_lists = [name for name in _LISTS if not isinstance(document.get(name, []), list)]
    problems = (
        *(f"{name} is no list" for name in no_lists),
        *read_faults.problems,
        *read_findings.problems,
    )
    if not read_faults.good and not read_findings.good:
        raise Rejected(_first(problems))
    batch = Batch(
        id=header.id,
        source=header.source,
        seq=header.seq,
        sent_at=header.sent_at,
        reports=tuple(read_faults.good),
        findings=tuple(read_findings.good),
    )
    bad = {"faults": read_faults.bad, "findings": read_findings.bad}
    kept = {name: bad[name] for name in _LISTS if name in document and name not in no_lists}
    rest = json.dumps({**document, **kept})
    return replace(batch, unread=Kept(body=rest, reason=_first(problems)))


def _list(document: dict[str, Any], name: str) -> list[object]:
    records = document.get(name)
    return records if isinstance(records, list) else []


@dataclass(slots=True)
class _Part(Generic[Read]):
    """What a list of records gave, and what it could not."""

    good: list[Read] = field(default_factory=list)
    bad: list[object] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def refuse(self, record: object, what: str, error: ValidationError) -> None:
        """Keep a record that does not validate, with its place and the reason."""
        self.bad.append(record)
        self.problems.append(f"{what}: {_problems(error)}")


def _read_faults(records: list[object]) -> _Part[Salvaged]:
    part: _Part[Salvaged] = _Part()
    for number, record in enumerate(records, 1):
        try:
            part.good.append(_report(Fault.model_validate(record)))
        except ValidationError as error:
            part.refuse(record, f"fault {number} of {len(records)}", error)
            part.good += faults_in(record, ("the record is damaged, read as far as possible",))
    return part


def _read_findings(records: list[object], delivery: Delivery) -> _Part[Finding]:
    part: _Part[Finding] = _Part()
    for number, record in enumerate(records, 1):
        try:
            part.good.append(Finding.model_validate(record))
        except ValidationError as error:
            part.refuse(record, f"finding {number} of {len(records)}", error)
            part.good += findings_in(record, delivery.queued_at)
    return part


def _salvaged(document: dict[str, Any], delivery: Delivery, mark: str) -> Batch:
    address = address_of(document, delivery.message_id)
    if address is None:
        raise Rejected(f"{mark}: it names no node")
    reports = faults_in(document)
    findings = findings_in(document, delivery.queued_at)
    if not reports and not findings:
        raise Rejected(f"{mark}: nothing in it reads as a fault")
    return Batch(
        id=address.id,
        source=address.source,
        seq=address.seq,
        sent_at=address.sent_at,
        reports=reports,
        findings=findings,
        marks=(mark,),
    )


def _report(fault: Fault) -> Salvaged:
    return Salvaged(
        line=fault.line,
        observed_at=fault.observed_at,
        last_at=fault.last_at,
        count=fault.count,
        gpu_uuid=fault.gpu_uuid,
        process=fault.process,
        job=fault.job,
    )


def _problems(error: ValidationError) -> str:
    """Return in words what does not validate, and where."""
    return _first(problems_of(error, "record"))


def _first(problems: Sequence[str]) -> str:
    return clean("".join(first_of(problems, _PROBLEMS_SHOWN)))
