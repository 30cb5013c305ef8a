"""Messages as text: cut at the size limit, stamped with a new time at each attempt. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import Fault
from reflexarc.events.gpu_readings import Heartbeat

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


def pack_faults(faults: Iterable[Fault], source: Source, mint: Mint) -> list[Packed]:
    """Return the faults as gpu_faults/1 messages, none larger than BODY_MAX.

    `mint` gives each message its id and its sequence number.
    """
    source_text = _ascii(source.model_dump(mode="json"))
    room = BODY_MAX - len(source_text) - _HEADER_ROOM
    packed = []
    for group in _groups([(fault, _fault_text(fault)) for fault in faults], room):
        message_id, seq = mint()
        packed.append(
            Packed(
                id=message_id,
                text=_message(
                    "gpu_faults/1",
                    message_id,
                    source_text,
                    seq,
                    f'"faults":[{",".join(text for _, text in group)}]',
                ),
                faults=sum(fault.count for fault, _ in group),
            )
        )
    return packed


def pack_heartbeat(heartbeat: Heartbeat, source: Source, mint: Mint) -> Packed:
    """Return the heartbeat as a gpu_readings/1 message."""
    message_id, seq = mint()
    body = f'"heartbeat":{_ascii(heartbeat.model_dump(mode="json", exclude_none=True))}'
    source_text = _ascii(source.model_dump(mode="json"))
    text = _message("gpu_readings/1", message_id, source_text, seq, body)
    return Packed(id=message_id, text=text)


def _message(schema: str, message_id: str, source: str, seq: int, body: str) -> str:
    # The stamp stands before anything that a log line could contain: stamped() replaces it once.
    return (
        f'{{"schema":"{schema}","id":"{message_id}","sent_at":"{_STAMP}",'
        f'"source":{source},"seq":{seq},{body}}}'
    )


def _fault_text(fault: Fault) -> str:
    return _ascii(fault.model_dump(mode="json", exclude_none=True))


def _ascii(value: object) -> str:
    # SQS refuses some Unicode characters; escaped, every line of a hostile log passes.
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def _groups(
    faults: Sequence[tuple[Fault, str]], room: int
) -> Iterator[Sequence[tuple[Fault, str]]]:
    group: list[tuple[Fault, str]] = []
    size = 0
    for fault, text in faults:
        if group and size + len(text) + 1 > room:
            yield group
            group, size = [], 0
        group.append((fault, text))
        size += len(text) + 1
    if group:
        yield group


def minted_at(message_id: str) -> datetime:
    """Return when this id (a ULID) was made: its first ten characters count milliseconds."""
    milliseconds = 0
    for character in message_id[:10]:
        milliseconds = milliseconds * 32 + _ALPHABET.index(character)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
