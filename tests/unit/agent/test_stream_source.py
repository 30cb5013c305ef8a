import os

from reflexarc.agent.sources.stdin import StreamSource
from reflexarc.kernel.clock import system_clock


def test_stream_gives_lines_as_they_come_and_says_when_it_ends() -> None:
    out, into = os.pipe()
    source = StreamSource(clock=system_clock, fd=out)
    assert source.read(0) is None

    os.write(into, b"one\ntwo")
    first = source.read(1)
    os.close(into)
    last = source.read(1)
    os.close(out)
    source.close()

    assert first is not None
    assert [line.text for line in first.lines] == ["one"]
    assert last is not None
    assert [line.text for line in last.lines] == ["two"]
    assert last.ended


def test_half_a_line_is_no_chunk() -> None:
    out, into = os.pipe()
    source = StreamSource(clock=system_clock, fd=out)
    os.write(into, b"half")

    assert source.read(1) is None

    os.close(into)
    os.close(out)
