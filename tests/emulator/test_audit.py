"""Lost and duplicate pages are counted from what was due and what came."""

from datetime import UTC, datetime, timedelta

import pytest

from reflexarc.emulator.audit import Expected, Landed, audit, percentile
from reflexarc.emulator.report import Report
from reflexarc.events.notice import ChannelKind
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Hops

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def due(key: str, channel: ChannelKind = "slack") -> Expected:
    return Expected(
        key=key,
        fingerprint="f",
        channel=channel,
        node="node-1",
        device="0000:3b:00",
        cause="xid/79",
        code=79,
        severity=Severity.CRITICAL,
        written_at=T0,
    )


def came(key: str, channel: ChannelKind = "slack", after_ms: float = 40) -> Landed:
    return Landed(key=key, channel=channel, at=T0 + timedelta(milliseconds=after_ms), hops=None)


def test_a_page_that_never_came_is_lost() -> None:
    verdict = audit([due("a"), due("a", "pagerduty")], [came("a")])

    assert [(page.key, page.channel) for page in verdict.lost] == [("a", "pagerduty")]


def test_the_first_arrival_counts_and_the_second_is_a_duplicate() -> None:
    verdict = audit([due("a")], [came("a", after_ms=90), came("a", after_ms=40)])

    assert [alert.latency_ms for alert in verdict.alerts] == [40]
    assert len(verdict.duplicates) == 1


def test_a_page_that_was_not_due_is_a_duplicate() -> None:
    verdict = audit([due("a")], [came("a"), came("b")])

    assert [page.key for page in verdict.duplicates] == ["b"]


def test_stages_add_up_to_the_latency() -> None:
    def moment(ms: int) -> datetime:
        return T0 + timedelta(milliseconds=ms)

    hops = Hops(
        observed_at=moment(3), queued_at=moment(7), received_at=moment(9), decided_at=moment(15)
    )
    landed = Landed(key="a", channel="slack", at=moment(40), hops=hops)

    alert = audit([due("a")], [landed]).alerts[0]

    assert alert.hops == {"read": 3, "send": 4, "queue": 2, "decide": 6, "deliver": 25}
    assert sum(alert.hops.values()) == alert.latency_ms


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7], 0.95, 7), (range(1, 101), 0.95, 95), ([1, 2, 3], 0.5, 2)],
)
def test_percentiles_are_nearest_ranks(
    values: list[float], share: float, expected: float | None
) -> None:
    assert percentile(values, share) == expected


def test_the_report_of_an_empty_run_has_no_latency() -> None:
    report = Report.of(audit([due("a")], []))

    assert report.latency_ms.p50 is None
    assert (report.lost, report.duplicates) == (1, 0)
