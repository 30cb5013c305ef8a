"""Requests made to cost more than they weigh are refused or passed within the function's memory."""

import re
import subprocess
import sys

import pytest

from reflexarc.engines.otlp.validity import LISTED_MAX
from reflexarc.ingest.otlp_body import UNPACKED_MAX

# A message with its tag, in a program of its own: what it took at most is then what one took.
PROGRAM = """
import sys, time
from pathlib import Path
from reflexarc.engines.otlp.validity import judged
from reflexarc.engines.otlp.wire import field_of
from reflexarc.kernel.errors import Rejected
size = int(sys.argv[1])
def message(number, *parts): return b"".join(field_of(number, b"".join(parts)))
def item(*parts): return message(1, message(2, message(2, *parts)))
good = message(1, b"t" * 16) + message(2, b"s" * 8)
tiny = {
    "empty resources": lambda: b"\\x0a\\0" * (size // 2),
    "empty scopes": lambda: message(1, b"\\x12\\0" * (size // 2)),
    "empty items": lambda: message(1, message(2, b"\\x12\\0" * (size // 2))),
    "empty ids": lambda: item(b"\\x0a\\0" * (size // 2)),
    "ids of one byte": lambda: item(b"\\x0a\\1a" * (size // 3)),
    "items of two bytes": lambda: message(1, message(2, b"\\x12\\2\\x78\\0" * (size // 4))),
    "empty items of an odd length": lambda: message(1, message(2, b"\\x12\\x80\\0" * (size // 3))),
    "empty attributes": lambda: item(good, b"\\x4a\\0" * (size // 2)),
    "empty links": lambda: item(good, b"\\x6a\\0" * (size // 2)),
    "links of empty ids": lambda: item(good, message(13, b"\\x0a\\0" * (size // 2))),
    "unknown fields": lambda: item(good, b"\\x78\\0" * (size // 2)),
    "known and unknown": lambda: item(good, b"\\x78\\0\\x30\\0" * (size // 4)),
    "flags": lambda: item(good, b"\\x30\\0" * (size // 2)),
    "buckets": lambda: item(message(10, message(1, message(8, message(2, bytes(size)))))),
    "a long text": lambda: item(good, message(5, b"x" * size)),
}[sys.argv[2]]()
began = time.process_time()
for signal in ("traces", "metrics", "logs"):
    try:
        judged(tiny, signal)
    except Rejected:
        pass
took = time.process_time() - began
# What getrusage says is at least what whoever started the program held.
(peak,) = (at for at in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in at)
print(int(peak.split()[1]) // 1024, took)
"""
# What is left of 512 MB beside the event (6 MB of text, decoded) and what is loaded.
MEGABYTES_MAX = 400
SECONDS_MAX = 3.0


KINDS = re.findall(r'^    "(.+?)": lambda', PROGRAM, re.MULTILINE)
LISTS = ("empty items", "empty ids", "ids of one byte", "links of empty ids")


@pytest.mark.parametrize(
    ("kind", "size"),
    [*((kind, UNPACKED_MAX) for kind in KINDS), *((kind, LISTED_MAX) for kind in LISTS)],
)
def test_memory_and_time_are_bounded_by_the_bytes_unpacked(kind: str, size: int) -> None:
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", PROGRAM, str(size - 100), kind],
        check=True,
        capture_output=True,
        text=True,
    )

    megabytes, seconds = map(float, done.stdout.split())
    assert megabytes < MEGABYTES_MAX
    assert seconds < SECONDS_MAX
