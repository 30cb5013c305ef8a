import pytest

from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime.settings import NotifySettings, WatchdogSettings


def test_every_missing_name_is_told_at_once() -> None:
    with pytest.raises(Unavailable) as told:
        WatchdogSettings.load({"INCIDENTS_TABLE": "incidents"})

    assert "NOTIFY_SLACK_QUEUE_URL" in str(told.value)
    assert "GPU_FAULTS_QUEUE_URL" in str(told.value)


def test_vendors_default_to_their_public_addresses() -> None:
    names = ("INCIDENTS_TABLE", "REJECTED_QUEUE_URL", "NOTIFY_LATER_QUEUE_URL")
    secrets = ("SLACK_SECRET_ARN", "PAGERDUTY_SECRET_ARN")

    settings = NotifySettings.load(dict.fromkeys((*names, *secrets), "x"))

    assert settings.slack_api_url == "https://slack.com/api"
    assert settings.pagerduty_url == "https://events.pagerduty.com"
