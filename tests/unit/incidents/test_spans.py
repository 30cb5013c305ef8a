"""Spans of time as people write them."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from reflexarc.incidents.spans import Span, span_of


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("4h", timedelta(hours=4)),
        ("2d", timedelta(days=2)),
        (" 2 d ", timedelta(days=2)),
        (timedelta(minutes=1), timedelta(minutes=1)),
    ],
)
def test_seconds_minutes_hours_and_days(written: object, span: timedelta) -> None:
    assert span_of(written) == span


@pytest.mark.parametrize("written", ["", "5", 5, "0m", "-1h", "1.5h", "1h30m", "1w", "m", None])
def test_anything_else_is_refused_with_how_to_write_it(written: object) -> None:
    with pytest.raises(ValueError, match="write a span as 90s, 10m, 4h or 2d"):
        span_of(written)


def test_an_editor_is_told_the_same() -> None:
    schema = TypeAdapter(Span).json_schema()

    assert schema["type"] == "string"
    assert "s|m|h|d" in schema["pattern"]
