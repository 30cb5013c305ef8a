"""Messages for other parts of reflexarc, made of what a batch holds: headers, sizes, ids. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from reflexarc.events.envelope import Envelope, Source
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.packed import Pointer
from reflexarc.kernel.ids import ENTROPY_BYTES, ulid
from reflexarc.telemetry.ports import Destination

# A message of another function's queue (DESIGN: "Sizes"), less its envelope.
BODY_MAX = 444 * 1024
# A character may take six bytes in JSON, and an item some more for its names.
CHARACTERS_MAX = 56 * 1024
ITEMS_MAX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A redacted batch, and what its messages say of where it came from."""

    id: str
    signal: OtlpSignal
    payload: bytes
    received_at: datetime
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message for another part, and how many items of the batch it holds."""

    to: Destination
    message: Envelope
    items: int


Store = Callable[[str, bytes], Pointer]
Item = TypeVar("Item")


def runs(items: Iterable[Item], size_of: Callable[[Item], int]) -> Iterator[tuple[Item, ...]]:
    """Yield as many items at a time as a message holds; sizes are characters of text."""
    run: list[Item] = []
    size = 0
    for item in items:
        size += size_of(item)
        if run and (len(run) == ITEMS_MAX or size > CHARACTERS_MAX):
            yield tuple(run)
            run, size = [], size_of(item)
        run.append(item)
    if run:
        yield tuple(run)


def header(batch: Batch, what: str, source: str, now: datetime) -> dict[str, object]:
    """Return what a message begins with; the same batch gives a message of the same id."""
    said = f"{batch.id}\x1f{what}"
    return {
        "id": ulid(batch.received_at, hashlib.sha256(said.encode()).digest()[:ENTROPY_BYTES]),
        "sent_at": now,
        "source": Source(node=source),
    }
