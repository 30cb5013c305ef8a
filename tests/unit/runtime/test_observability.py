import json

import pytest

from reflexarc.events.delivery import Outcome
from reflexarc.runtime import observability


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "gpu_alert")
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    observability.metrics.cache_clear()
    observability.logger.cache_clear()
    # All Metrics share what was added and not flushed; other tests leave some.
    observability.metrics().clear_metrics()


def test_only_what_happened_becomes_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [
        Outcome(message_id="a", status="done"),
        Outcome(message_id="b", status="retry", reason="no answer"),
    ]

    observability.report(outcomes, done="FaultMessages", rejected="FaultsRejected")

    (told,) = (line for line in capsys.readouterr().out.splitlines() if "_aws" in line)
    names = [
        metric["Name"] for metric in json.loads(told)["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    ]
    assert names == ["FaultMessages", "Retried"]


def test_a_batch_of_nothing_writes_no_metric(capsys: pytest.CaptureFixture[str]) -> None:
    observability.report([], done="FaultMessages", rejected="FaultsRejected")

    assert "_aws" not in capsys.readouterr().out


def test_canaries_write_no_metric(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [Outcome(message_id="a", status="done", reason="canary")]

    observability.report(outcomes, done="FaultMessages", rejected="FaultsRejected")

    assert "_aws" not in capsys.readouterr().out
