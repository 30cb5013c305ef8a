import json
from typing import Any

import pytest

from reflexarc.events.signal import Hops
from reflexarc.runtime import observability
from reflexarc.runtime.journal import CloudWatchJournal
from tests.support.notices import NOW, at, attempt, page


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "notify")
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    observability.metrics.cache_clear()
    observability.logger.cache_clear()
    observability.metrics().clear_metrics()


def told(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    observability.flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [metric] = [line for line in lines if "_aws" in line]
    [event] = [line for line in lines if "_aws" not in line]
    return event, metric


def test_a_page_is_logged_with_its_hops_and_counted_with_its_latency(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hops = Hops(observed_at=NOW, delivered_at=at(0.084))

    CloudWatchJournal().delivered(page(), attempt(latency_ms=84, hops=hops))

    event, metric = told(capsys)
    assert (event["page"], event["part"], event["latency_ms"]) == (page().key, "root", 84)
    assert set(event["hops"]) == {"observed_at", "delivered_at"}
    assert (metric["Delivered"], metric["PageLatency"]) == ([1], [84])


def test_what_pages_nobody_has_no_latency(capsys: pytest.CaptureFixture[str]) -> None:
    CloudWatchJournal().delivered(page(), attempt(action="reply", latency_ms=None, hops=None))

    event, metric = told(capsys)
    assert event["hops"] is None
    assert "PageLatency" not in metric


@pytest.mark.parametrize(("failures", "counted"), [(0, False), (2, True)])
def test_a_rate_limit_is_no_failure(
    capsys: pytest.CaptureFixture[str], failures: int, *, counted: bool
) -> None:
    observability.count("Other")

    CloudWatchJournal().failing("slack/C1", "slow down", failures)

    event, metric = told(capsys)
    assert (event["group"], event["failures"]) == ("slack/C1", failures)
    assert ("DeliveryFailing" in metric) is counted


def test_a_refusal_is_an_error_and_says_whether_the_page_was_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    CloudWatchJournal().refused(page(), "slack", "invalid_blocks", lost=True)

    event, metric = told(capsys)
    assert (event["level"], event["channel"], event["lost"]) == ("ERROR", "slack", True)
    assert metric["NoticesRefused"] == [1]
