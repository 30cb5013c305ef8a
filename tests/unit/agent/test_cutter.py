from hypothesis import given
from hypothesis import strategies as st

from reflexarc.agent.sources.cutter import LineCutter
from reflexarc.events.gpu_faults import LINE_MAX


def test_line_split_over_reads_is_joined() -> None:
    cutter = LineCutter()

    assert cutter.feed(b"one\ntw") == ["one"]
    assert cutter.held == 2
    assert cutter.feed(b"o\n") == ["two"]
    assert cutter.held == 0


def test_last_line_needs_no_newline() -> None:
    cutter = LineCutter()

    assert cutter.feed(b"a\nb") == ["a"]
    assert cutter.finish() == ["b"]
    assert cutter.finish() == []


def test_endless_line_gives_its_front_and_the_next_line_is_whole() -> None:
    cutter = LineCutter()

    lines = cutter.feed(b"x" * 3 * LINE_MAX) + cutter.feed(b"x" * LINE_MAX)
    lines += cutter.feed(b"end\nnext\n")

    assert lines == ["x" * LINE_MAX, "next"]


def test_carriage_returns_empty_lines_and_bad_bytes_do_no_harm() -> None:
    assert LineCutter().feed(b"a\r\n\n\xff\n") == ["a", "�"]


@given(st.lists(st.binary(max_size=40)))
def test_cuts_do_not_depend_on_how_the_bytes_arrive(parts: list[bytes]) -> None:
    pieces, whole = LineCutter(), LineCutter()

    one_by_one = [line for part in parts for line in pieces.feed(part)] + pieces.finish()

    assert one_by_one == whole.feed(b"".join(parts)) + whole.finish()
