import json
from collections.abc import Callable
from typing import Any

import pytest

from reflexarc.events.signal import Hops
from reflexarc.runtime import observability
from reflexarc.runtime.journal import CloudWatchJournal
from tests.support.notices import NOW, at, attempt, page

Told = Callable[[], tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "notify")
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    observability.metrics.cache_clear()
    observability.logger.cache_clear()
    observability.metrics().clear_metrics()


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Told:
    """Return what was logged last, and the metrics of this invocation."""

    def read() -> tuple[dict[str, Any], dict[str, Any]]:
        capsys.readouterr()
        observability.flush()
        [metric] = [line for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        return vars(caplog.records[-1]), json.loads(metric)

    return read


def test_a_page_is_logged_with_its_hops_and_counted_with_its_latency(told: Told) -> None:
    hops = Hops(observed_at=NOW, delivered_at=at(0.084))

    CloudWatchJournal().delivered(page(), attempt(latency_ms=84, hops=hops))

    event, metric = told()
    assert (event["page"], event["part"], event["latency_ms"]) == (page().key, "root", 84)
    assert set(event["hops"]) == {"observed_at", "delivered_at"}
    assert (metric["Delivered"], metric["PageLatency"]) == ([1], [84])


def test_what_pages_nobody_has_no_latency(told: Told) -> None:
    CloudWatchJournal().delivered(page(), attempt(action="reply", latency_ms=None, hops=None))

    event, metric = told()
    assert event["hops"] is None
    assert "PageLatency" not in metric


@pytest.mark.parametrize(("failures", "counted"), [(0, False), (2, True)])
def test_a_rate_limit_is_no_failure(told: Told, failures: int, *, counted: bool) -> None:
    observability.count("Other")

    CloudWatchJournal().failing("slack/C1", "slow down", failures)

    event, metric = told()
    assert (event["group"], event["failures"]) == ("slack/C1", failures)
    assert ("DeliveryFailing" in metric) is counted


def test_a_refusal_is_an_error_and_says_whether_the_page_was_lost(told: Told) -> None:
    CloudWatchJournal().refused(page(), "slack", "invalid_blocks", lost=True)

    event, metric = told()
    assert (event["levelname"], event["channel"], event["lost"]) == ("ERROR", "slack", True)
    assert metric["NoticesRefused"] == [1]
