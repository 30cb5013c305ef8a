"""Finds fault lines of kernel logs among log records, for the function that pages on them. Pure.

Fluent Bit's kmsg input makes a map of a line ({"priority", "sequence", "sec", "usec", "msg"}),
journald's readers one with MESSAGE, others a text. Only what reads as a fault is handed on, so that
a database's "xid" pages nobody; and nothing that a container printed, for anything may stand there.

Fluent Bit reads the kernel's buffer from its beginning at each start
(https://docs.fluentbit.io/manual/pipeline/inputs/kernel-logs): what is old news stays out.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs

from reflexarc.engines.otlp.framing import framed
from reflexarc.events.gpu_faults import LINE_MAX, Fault, GpuFaults
from reflexarc.telemetry.places import moment, node_of, texts_of
from reflexarc.telemetry.ports import KernelLog
from reflexarc.telemetry.told import Batch, Told, header, runs

OLD_AFTER = timedelta(hours=1)
_MARKS = re.compile(rb"xid|fallen off|NVRM", re.IGNORECASE)
# What the kernel says is under one of these; the rest of such a map is about the line.
_SAID = ("msg", "MESSAGE", "message", "log")
_HOSTS = ("hostname", "_HOSTNAME", "host")
_OF_CONTAINERS = frozenset(
    {
        *("log.iostream", "container.id", "container.name", "k8s.container.name"),
        *("stream", "logtag", "kubernetes", "docker"),
    }
)
_CONTAINER_LOGS = ("/var/log/pods/", "/var/log/containers/", "/var/lib/docker/containers/")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What one record says of a node, and when."""

    node: str
    at: datetime
    texts: tuple[str, ...]


@dataclass(slots=True)
class _Seen:
    """Faults of one node by what their repeats share, in the order of their first lines."""

    log: KernelLog
    faults: dict[str, Fault] = field(default_factory=dict)
    items: int = 0


def kernel_lines(batch: Batch, log: Callable[[], KernelLog], now: datetime) -> Iterator[Told]:
    """Yield messages with the faults of each node in a batch of logs."""
    if batch.signal != "logs" or not _MARKS.search(batch.payload):
        return
    nodes: dict[str, _Seen] = {}
    request = framed(batch.payload)
    for part in request.resources:
        resource: dict[str, str] | None = None
        for number in part.items:
            if not _MARKS.search(request.data, request.starts[number], request.ends[number]):
                continue
            if resource is None:
                resource = texts_of(ResourceLogs.FromString(part.rest).resource.attributes)
            record = LogRecord.FromString(request.item(number))
            line = _line(resource, record, batch.received_at)
            if line is not None:
                seen = nodes.get(line.node) or nodes.setdefault(line.node, _Seen(log()))
                _look(seen, line)
    for node, seen in nodes.items():
        yield from _told(batch, node, seen, now)


def _line(resource: dict[str, str], record: LogRecord, received_at: datetime) -> _Line | None:
    """Return what a record says of which node; None where it is no kernel's, or old."""
    said = {**resource, **texts_of(record.attributes)}
    body = _map_of(record.body)
    if _is_of_container(said) or not _OF_CONTAINERS.isdisjoint(body):
        return None
    hosts = (body[name].string_value for name in _HOSTS if name in body)
    named = (said.get("k8s.node.name", ""), *hosts, said.get("host.name", ""))
    node = node_of(resource, named)
    at = moment(record.time_unix_nano) or moment(record.observed_time_unix_nano) or received_at
    if not node or received_at - at > OLD_AFTER:
        return None
    return _Line(node=node, at=at, texts=_texts_of(record.body, body))


def _look(seen: _Seen, line: _Line) -> None:
    found = [fault for text in line.texts for fault in seen.log.see(text)]
    for text, key in found:
        known = seen.faults.get(key)
        if known is None:
            seen.faults[key] = Fault(line=text[:LINE_MAX], observed_at=line.at)
            continue
        first, last = known.observed_at, known.last_at or known.observed_at
        seen.faults[key] = known.model_copy(
            update={
                "count": known.count + 1,
                "observed_at": min(first, line.at),
                "last_at": max(last, line.at),
            }
        )
    seen.items += bool(found)


def _told(batch: Batch, node: str, seen: _Seen, now: datetime) -> Iterator[Told]:
    items = seen.items
    for number, faults in enumerate(runs(seen.faults.values(), lambda fault: len(fault.line))):
        message = GpuFaults.model_validate(
            {
                **header(batch, f"gpu_faults\x1f{node}\x1f{number}", node, now),
                "seq": number,
                "faults": faults,
            }
        )
        yield Told(to="gpu-faults", message=message, items=items)
        items = 0


def _is_of_container(said: dict[str, str]) -> bool:
    path = said.get("log.file.path", "")
    return not _OF_CONTAINERS.isdisjoint(said) or path.startswith(_CONTAINER_LOGS)


def _map_of(body: AnyValue) -> dict[str, AnyValue]:
    return {each.key: each.value for each in body.kvlist_value.values}


def _texts_of(body: AnyValue, fields: dict[str, AnyValue]) -> tuple[str, ...]:
    """Return the texts that may be the line: the body, or what of its map the kernel said."""
    if not fields:
        return (body.string_value,) if body.string_value else ()
    named = [fields[name].string_value for name in _SAID if name in fields]
    return tuple(text for text in named if text)
