import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.notify.hostile_text import code, code_block, mrkdwn, one_line, wire_width
from tests.support.notices import hostile


def width(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def test_mentions_and_links_lose_their_power() -> None:
    assert mrkdwn("<!channel> <@U012> a & b", 80) == "&lt;!channel&gt; &lt;@U012&gt; a &amp; b"


def test_backticks_cannot_end_a_code_span_or_block() -> None:
    assert code("a`b", 80) == "`a'b`"
    assert code_block("x```\ny", 80) == "```x'''\ny```"


def test_controls_and_direction_overrides_vanish_and_lines_join() -> None:
    assert one_line("no\u202ede\x00-7\x1b[31m\r\n\tup\u2028now", 80) == "node-7[31m up now"


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert one_line("x" * 10_000, 5) == "xxxx…"


def test_a_cut_never_splits_an_escape() -> None:
    assert mrkdwn("ab&&&", 8) == "ab&amp;…"


def test_text_that_just_fits_is_whole() -> None:
    assert mrkdwn("ab&", 7) == "ab&amp;"


def test_astral_characters_count_twice_as_the_vendors_count_them() -> None:
    assert one_line("🔥🔥🔥", 5) == "🔥🔥…"


@pytest.mark.parametrize("empty", ["", " \n\t", "\u200b\x00"])
def test_nothing_visible_stays_empty(empty: str) -> None:
    assert (one_line(empty, 9), code(empty, 9), code_block(empty, 9)) == ("", "", "")


@given(hostile, st.integers(min_value=8, max_value=300))
def test_no_text_outgrows_its_limit_or_keeps_an_active_character(text: str, limit: int) -> None:
    line, block = mrkdwn(text, limit), code_block(text, limit)

    assert width(line) <= limit
    assert width(block) <= limit + 6
    assert not set(line) & set("<>`\n\u202e\x00")
    assert "`" not in block.removeprefix("```").removesuffix("```")


def test_room_on_the_wire_counts_what_json_escapes_and_characters_that_count_twice() -> None:
    assert [wire_width(text) for text in ("ab", 'a"', "a\\b", "a\nb", "é", "🔥")] == [
        2, 3, 4, 4, 1, 2,
    ]  # fmt: skip


@given(hostile, st.integers(min_value=1, max_value=300))
def test_plain_ascii_is_shown_as_the_slow_way_shows_it(text: str, limit: int) -> None:
    plain = "".join(char for char in text if " " <= char <= "~")

    slow = one_line(f"{plain}\u200b", limit)

    assert one_line(plain, limit) == slow
