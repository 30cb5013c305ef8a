"""Hours of the week as a wall clock shows them, on both sides of a change of summer time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.incidents.document import Hours
from reflexarc.incidents.hours import end_of, in_hours, known_zone, next_start
from tests.support.policy import utc

EVERY_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def hours(start: str, end: str, **more: Any) -> Hours:
    """Return hours of every day in Berlin."""
    return Hours(
        **(
            {
                "name": "h",
                "start": start,
                "end": end,
                "days": EVERY_DAY,
                "timezone": "Europe/Berlin",
            }
            | more
        )
    )


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-01-07 07:59", False),
        ("2026-01-07 08:00", True),
        ("2026-01-07 15:59", True),
        ("2026-01-07 16:00", False),
        ("2026-07-08 07:00", True),
        ("2026-07-08 15:00", False),
        ("2026-01-10 10:00", False),
    ],
)
def test_office_hours_follow_the_wall_clock_of_their_zone(now: str, *, inside: bool) -> None:
    office = Hours(name="office", timezone="Europe/Berlin")

    assert in_hours(office, utc(now)) is inside


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-01-09 20:59", False),
        ("2026-01-09 21:00", True),
        ("2026-01-10 04:59", True),
        ("2026-01-10 05:00", False),
        ("2026-01-10 21:30", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(now: str, *, inside: bool) -> None:
    friday_night = hours("22:00", "06:00", days=("fri",))

    assert in_hours(friday_night, utc(now)) is inside


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-01-07 07:59", "2026-01-07 08:00"),
        ("2026-01-07 08:00", "2026-01-08 08:00"),
        ("2026-01-09 12:00", "2026-01-12 08:00"),
        # The clocks go forward on 29 March: nine o'clock is an hour earlier in UTC.
        ("2026-03-27 12:00", "2026-03-30 07:00"),
    ],
)
def test_the_next_start_is_the_next_working_morning(now: str, start: str) -> None:
    office = Hours(name="office", timezone="Europe/Berlin")

    assert next_start(office, utc(now)) == utc(start)


def test_once_a_week_comes_again_in_a_week() -> None:
    weekly = hours("09:00", "10:00", days=("sun",))

    assert next_start(weekly, utc("2026-01-04 08:00")) == utc("2026-01-11 08:00")


@pytest.mark.parametrize(
    ("window", "now", "end"),
    [
        # 02:00 to 03:00 does not exist on 29 March: what starts at 02:30 starts at 03:30.
        (("02:30", "05:00"), "2026-03-29 01:29", None),
        (("02:30", "05:00"), "2026-03-29 01:30", "2026-03-29 03:00"),
        (("01:00", "02:30"), "2026-03-29 01:00", "2026-03-29 01:30"),
        # 02:00 to 03:00 comes twice on 25 October: the end is the second one.
        (("01:00", "02:30"), "2026-10-25 00:45", "2026-10-25 01:30"),
        (("02:30", "05:00"), "2026-10-25 00:29", None),
        (("02:30", "05:00"), "2026-10-25 00:30", "2026-10-25 04:00"),
        # A night in which the clocks change has one hour less, or more.
        (("22:00", "06:00"), "2026-03-29 03:59", "2026-03-29 04:00"),
        (("22:00", "06:00"), "2026-10-25 04:59", "2026-10-25 05:00"),
    ],
)
def test_a_change_of_the_clocks_neither_loses_nor_invents_hours(
    window: tuple[str, str], now: str, end: str | None
) -> None:
    assert end_of(hours(*window), utc(now)) == (utc(end) if end else None)


CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 30, 59]))
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(CLOCKS, CLOCKS, st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]), MOMENTS)
def test_outside_becomes_inside_at_the_next_start_and_not_before(
    start: str, end: str, zone: str, now: datetime
) -> None:
    window = hours(start, end, timezone=zone)
    begins = next_start(window, now)

    assert begins > now
    assert start == end or in_hours(window, begins) or end_of(window, begins) is None
    if not in_hours(window, now):
        halfway = now + (begins - now) / 2
        assert not in_hours(window, halfway)


@given(CLOCKS, CLOCKS, MOMENTS)
def test_inside_ends_at_the_end_that_was_said(start: str, end: str, now: datetime) -> None:
    window = hours(start, end)

    if ends := end_of(window, now):
        assert now < ends <= now + timedelta(hours=25)
        assert end_of(window, ends) != ends


@pytest.mark.parametrize("name", ["America", "/etc/localtime", "Nope/Zone", "", "../x", "a" * 300])
def test_a_name_that_is_no_zone_is_none(name: str) -> None:
    assert known_zone(name) is None


def test_an_unknown_zone_counts_as_utc_rather_than_lose_a_page() -> None:
    assert in_hours(hours("09:00", "10:00", timezone="Nope/Zone"), utc("2026-01-07 09:30"))
