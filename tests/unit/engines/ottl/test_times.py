"""Times and durations: read, written, taken apart."""

from datetime import UTC, datetime

import pytest

from reflexarc.engines.ottl.functions.layout import layout_of
from reflexarc.engines.ottl.functions.time_parsing import parsed
from reflexarc.engines.ottl.values import EvaluationError, Time
from tests.support.ottl import conditions, judge

# The Collector's own tests: a text, its format, and the same moment.
READ = [
    ("2023-04-12", "%Y-%m-%d", "2023-04-12T00:00:00+00:00"),
    ("11/11/11", "%d/%m/%y", "2011-11-11T00:00:00+00:00"),
    ("31/12/70", "%d/%m/%y", "1970-12-31T00:00:00+00:00"),
    ("02/04/2023", "%m/%d/%Y", "2023-02-04T00:00:00+00:00"),
    ("July 31, 1993", "%B %d, %Y", "1993-07-31T00:00:00+00:00"),
    ("Mar 14 2023 17:02:59", "%b %d %Y %H:%M:%S", "2023-03-14T17:02:59+00:00"),
    ("Monday, May 01, 2023", "%A, %B %d, %Y", "2023-05-01T00:00:00+00:00"),
    ("sat, may  20, 2023", "%a, %b %d, %Y", "2023-05-20T00:00:00+00:00"),
    ("2023-05-26 12:34:56 HST", "%Y-%m-%d %H:%M:%S %Z", "2023-05-26T12:34:56-10:00"),
    ("2023-05-26T12:34:56 GMT", "%Y-%m-%dT%H:%M:%S %Z", "2023-05-26T12:34:56+00:00"),
    ("2023-05-26T12:34:56 GMT+3", "%Y-%m-%dT%H:%M:%S %Z", "2023-05-26T12:34:56+03:00"),
    ("2023-05-26T12:34:56 UTC", "%Y-%m-%dT%H:%M:%S %Z", "2023-05-26T12:34:56+00:00"),
    ("2012-11-01T22:08:41+0000 EST", "%Y-%m-%dT%H:%M:%S%z %Z", "2012-11-01T22:08:41+00:00"),
    ("1986-10-01T00:17:33 MST", "%Y-%m-%dT%H:%M:%S %Z", "1986-10-01T00:17:33-07:00"),
    ("2023-05-26 12:34:56.123", "%F %T.%L", "2023-05-26T12:34:56.123000+00:00"),
    ("2023-05-26 12:34:56.25", "%F %T", "2023-05-26T12:34:56.250000+00:00"),
    ("2023-05-26 12:34:56", "%F %T.%L", "2023-05-26T12:34:56+00:00"),
    ("2023-05-26T12:34:56Z", "%FT%T%z", "2023-05-26T12:34:56+00:00"),
    ("2023-05-26T12:34:56-073015", "%FT%T%w", "2023-05-26T12:34:56-07:30:15"),
    ("12:30 am 2023", "%I:%M %P %Y", "2023-01-01T00:30:00+00:00"),
    ("03:04:05 PM 2023", "%I:%M:%S %p %Y", "2023-01-01T15:04:05+00:00"),
    ("2023  5", "%Y %e", "2023-01-05T00:00:00+00:00"),
    ("2023 060", "2006 002", "2023-03-01T00:00:00+00:00"),
    ("2023  60", "2006 __2", "2023-03-01T00:00:00+00:00"),
    ("5.250 2023", "5.000 2006", "2023-01-01T00:00:05.250000+00:00"),
]
FAIL = [
    ("11/11/11", "%Y/%m/%d"),
    ("2023-13-01", "%F"),
    ("2023-02-29", "%F"),
    ("2023-01-00", "%F"),
    ("25:00", "%H:%M"),
    ("2023x", "%Y"),
    ("2023x01", "%Y %m"),
    ("2023/01", "%Y-%m"),
    ("Foo 2023", "%b %Y"),
    ("2023 xx", "%Y %Z"),
    ("2023 XYZ", "%Y %Z"),
    ("2023 +9900", "%Y %z"),
    ("2023 xm", "%Y %P"),
    ("2023 5", "%Y 5.000"),
]


@pytest.mark.parametrize("text", conditions("times"))
def test_times_are_what_the_collector_makes_of_them(text: str) -> None:
    assert judge(text)


@pytest.mark.parametrize(("text", "directives", "moment"), READ)
def test_a_time_is_read_by_its_format(text: str, directives: str, moment: str) -> None:
    found = parsed(text, layout_of(directives), UTC, lambda: Time(0))

    since = datetime.fromisoformat(moment) - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    assert found.nanoseconds == expected


@pytest.mark.parametrize(("text", "directives"), FAIL)
def test_a_text_that_does_not_fit_its_format_is_an_error(text: str, directives: str) -> None:
    with pytest.raises(EvaluationError):
        parsed(text, layout_of(directives), UTC, lambda: Time(0))


def test_a_time_without_a_year_is_the_latest_of_its_kind() -> None:
    now = Time(int(datetime(2024, 1, 2, tzinfo=UTC).timestamp()) * 10**9)

    before = parsed("Dec 31", "Jan 2", UTC, lambda: now)
    soon = parsed("Jan 5", "Jan 2", UTC, lambda: now)

    assert before.calendar().year == 2023
    assert soon.calendar().year == 2024


@pytest.mark.parametrize("text", ["", "1", "1x", "-", "1h x", "9999999h", ".s"])
def test_a_text_that_is_no_duration_is_an_error(text: str) -> None:
    with pytest.raises(EvaluationError):
        judge(f'Duration("{text}") > Duration("0")')


def test_an_empty_time_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="cannot be empty"):
        judge('Time("", "%F") == time')
