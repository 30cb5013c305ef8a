r"""One /dev/kmsg record, taken apart. Pure.

The format is `prio,seq,usec,flags[,...];text` and continuation lines ` KEY=value`; bytes outside
printable ASCII, and the backslash, are written as \xNN.
https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg
"""

import re
from dataclasses import dataclass, field

from reflexarc.kernel.errors import Rejected

# The facility stands above three bits of level. Zero is the kernel itself; the kernel gives
# what user space writes to /dev/kmsg facility 1 or higher, whatever the writer asked for.
_LEVEL_BITS = 3
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRecord:
    """What the kernel logged, when (microseconds of its own clock) and who wrote it."""

    seq: int
    usec: int
    priority: int
    text: str
    details: dict[str, str] = field(default_factory=dict)

    @property
    def from_kernel(self) -> bool:
        """Tell whether the kernel wrote this, not a program that opened /dev/kmsg."""
        return self.priority >> _LEVEL_BITS == 0


def parse_record(raw: bytes) -> KernelRecord:
    """Return the record; raises Rejected when the bytes are not one."""
    head, separator, body = raw.partition(b";")
    fields = head.split(b",")
    try:
        priority, seq, usec = (int(number) for number in fields[:3])
    except ValueError as error:
        raise Rejected(f"not a /dev/kmsg record: {raw[:80]!r}") from error
    if not separator:
        raise Rejected(f"not a /dev/kmsg record: {raw[:80]!r}")
    text, *details = body.rstrip(b"\n").split(b"\n")
    return KernelRecord(
        seq=seq,
        usec=usec,
        priority=priority,
        text=_unescape(text),
        details=dict(_pair(line) for line in details if line.startswith(b" ")),
    )


def _pair(line: bytes) -> tuple[str, str]:
    key, _, value = line.strip().partition(b"=")
    return _unescape(key), _unescape(value)


def _unescape(raw: bytes) -> str:
    if b"\\x" in raw:
        raw = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw)
    return raw.decode("utf-8", "replace")
