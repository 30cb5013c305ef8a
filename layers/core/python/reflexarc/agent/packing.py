"""Messages as text: cut at the size limit, stamped with a new time at each attempt. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from reflexarc.agent.aggregate import Window
from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import Fault, Finding
from reflexarc.events.gpu_readings import Heartbeat, SensorReport

# Below the 448 KiB above which a body would have to go through S3: the agent has no rights there.
BODY_MAX = 440 * 1024
# Stands for `sent_at` until an attempt is made; as long as a real time, so sizes do not change.
_STAMP = "0000-00-00T00:00:00.000000Z"
# What stands around the source and the faults: schema, id, times, seq, punctuation.
_HEADER_ROOM = 256
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Mint = Callable[[], tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One message ready to be kept and sent. Its id stays the same however often it is sent."""

    id: str
    text: str
    faults: int = 0

    def stamped(self, now: datetime) -> str:
        """Return the body to send at this instant."""
        stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return self.text.replace(_STAMP, stamp, 1)


def pack_faults(
    faults: Iterable[Fault], source: Source, mint: Mint, findings: Iterable[Finding] = ()
) -> list[Packed]:
    """Return faults and findings as gpu_faults/1 messages, none larger than BODY_MAX.

    `mint` gives each message its id and its sequence number.
    """
    source_text = _ascii(source.model_dump(mode="json"))
    room = BODY_MAX - len(source_text) - _HEADER_ROOM
    parts = [_Part("faults", _dumped(fault), fault.count) for fault in faults]
    parts += [_Part("findings", _dumped(finding), 1) for finding in findings]
    packed = []
    for group in _groups(parts, room):
        message_id, seq = mint()
        packed.append(
            Packed(
                id=message_id,
                text=_message("gpu_faults/1", message_id, source_text, seq, _lists(group)),
                faults=sum(part.weight for part in group),
            )
        )
    return packed


def pack_readings(
    heartbeat: Heartbeat,
    source: Source,
    mint: Mint,
    window: Window | None = None,
    sensors: Sequence[SensorReport] = (),
) -> Packed:
    """Return a heartbeat with its readings as one gpu_readings/1 message of at most BODY_MAX.

    What is left out of a message that would be larger: first the counters of ports, then the ports,
    then the gauges and counters of GPUs, then the words of sensors, then GPUs, then hours.
    """
    message_id, seq = mint()
    source_text = _ascii(source.model_dump(mode="json"))
    room = BODY_MAX - len(source_text) - _HEADER_ROOM
    body = readings_body(heartbeat, window or Window(), sensors, room)
    text = _message("gpu_readings/1", message_id, source_text, seq, body)
    return Packed(id=message_id, text=text)


def readings_body(
    heartbeat: Heartbeat, window: Window, sensors: Sequence[SensorReport], room: int
) -> str:
    """Return the fields of a message of readings, with as much as there is room for."""
    fields: dict[str, Any] = {"heartbeat": _spare(heartbeat)}
    if window.seconds:
        fields["window_s"] = window.seconds
    if window.driver:
        fields["driver"] = window.driver
    if window.vitals is not None:
        fields["vitals"] = _plain(window.vitals)
    lists: dict[str, Sequence[BaseModel]] = {
        "gpus": window.gpus,
        "hours": window.hours,
        "ports": window.ports,
        "sensors": sensors,
    }
    fields |= {name: [_spare(each) for each in values] for name, values in lists.items() if values}
    named = {gpu.device for gpu in window.gpus}
    for hour in fields.get("hours", ()):
        if hour["device"] in named:
            # Its GPU's reading says them already. Ten messages of eight GPUs fit two of the 64 KB
            # that SQS bills: https://aws.amazon.com/sqs/pricing/
            hour.pop("uuid", None)
            hour.pop("name", None)
    for cut in _CUTS:
        body = _ascii(fields)[1:-1]
        if len(body) <= room:
            return body
        cut(fields)
    return _ascii(fields)[1:-1]


def _without(name: str, *inner: str) -> Callable[[dict[str, Any]], None]:
    """Return what leaves a list out, or some fields of each of its members."""

    def cut(fields: dict[str, Any]) -> None:
        if not inner:
            fields.pop(name, None)
        for each in fields.get(name, ()):
            for field in inner:
                each.pop(field, None)

    return cut


_CUTS = (
    _without("ports", "counters"),
    _without("ports"),
    _without("gpus", "gauges", "counters", "throttled_s"),
    _without("sensors", "says"),
    _without("gpus"),
    _without("hours"),
    _without("sensors"),
)


@dataclass(frozen=True, slots=True)
class _Part:
    """One fault or finding as text; `weight` is what is lost with it."""

    list: str
    text: str
    weight: int


def _lists(group: Sequence[_Part]) -> str:
    found = {
        name: ",".join(part.text for part in group if part.list == name)
        for name in ("faults", "findings")
    }
    return ",".join(f'"{name}":[{text}]' for name, text in found.items() if text)


def _message(schema: str, message_id: str, source: str, seq: int, body: str) -> str:
    # The stamp stands before anything that a log line could contain: stamped() replaces it once.
    return (
        f'{{"schema":"{schema}","id":"{message_id}","sent_at":"{_STAMP}",'
        f'"source":{source},"seq":{seq},{body}}}'
    )


def _dumped(value: BaseModel) -> str:
    return _ascii(_plain(value))


def _plain(value: BaseModel) -> dict[str, Any]:
    return value.model_dump(mode="json", exclude_none=True)


def _spare(value: BaseModel) -> dict[str, Any]:
    """Return a value without what its reader takes for granted."""
    return value.model_dump(mode="json", exclude_defaults=True)


def _ascii(value: object) -> str:
    # SQS refuses some Unicode characters; escaped, every line of a hostile log passes.
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def _groups(parts: Sequence[_Part], room: int) -> Iterator[Sequence[_Part]]:
    group: list[_Part] = []
    size = 0
    for part in parts:
        if group and size + len(part.text) + 1 > room:
            yield group
            group, size = [], 0
        group.append(part)
        size += len(part.text) + 1
    if group:
        yield group


def minted_at(message_id: str) -> datetime:
    """Return when this id (a ULID) was made: its first ten characters count milliseconds."""
    milliseconds = 0
    for character in message_id[:10]:
        milliseconds = milliseconds * 32 + _ALPHABET.index(character)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
