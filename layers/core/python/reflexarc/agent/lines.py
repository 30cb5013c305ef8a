"""What a source hands over: lines, and how far the source was read to get them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

# Where to go on reading after a restart; each source knows its own keys.
Cursor = Mapping[str, int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a log, without its newline."""

    text: str
    at: datetime
    kernel_seq: int | None = None
    from_kernel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Lines that were read together; `cursor` stands behind the last of them.

    A chunk is taken in whole or not at all: the cursor reaches the disk in the same write as the
    faults found in the lines.
    """

    source: str
    lines: tuple[Line, ...] = ()
    cursor: Cursor = field(default_factory=dict)
    kernel_lost: int = 0
    ended: bool = False
