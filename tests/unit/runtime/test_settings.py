import pytest

from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime.settings import NotifySettings, WatchdogSettings


def test_every_missing_name_is_told_at_once() -> None:
    with pytest.raises(Unavailable) as told:
        WatchdogSettings.load({"INCIDENTS_TABLE": "incidents"})

    assert "NOTIFY_SLACK_QUEUE_URL" in str(told.value)
    assert "GPU_FAULTS_QUEUE_URL" in str(told.value)


def test_vendors_default_to_their_public_addresses() -> None:
    required = [name.upper() for name, f in NotifySettings.model_fields.items() if f.is_required()]

    settings = NotifySettings.load(dict.fromkeys(required, "x"))

    assert settings.slack_api_url == "https://slack.com/api"
    assert settings.pagerduty_url == "https://events.pagerduty.com"
