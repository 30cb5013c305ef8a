"""Wires the vendors: one Sender a channel kind, over one HTTP pool."""

from collections.abc import Mapping

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.adapters.pagerduty import secret as pagerduty
from reflexarc.adapters.pagerduty.events_v2 import PagerDutyEvents
from reflexarc.adapters.secrets.secrets_manager import SecretsManagerSecret
from reflexarc.adapters.slack import secret as slack
from reflexarc.adapters.slack.sender import SlackSender
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.adapters.slack.webhook import SlackWebhook
from reflexarc.events.notice import ChannelKind
from reflexarc.notify.ports import Sender
from reflexarc.runtime import clients
from reflexarc.runtime.settings import NotifySettings


def senders(settings: NotifySettings) -> Mapping[ChannelKind, Sender]:
    """Return every vendor that a channel may name."""
    http = HttpPool()
    secrets = clients.secrets_manager()
    return {
        "slack": SlackSender(
            api=SlackWebApi(http=http, url=settings.slack_api_url),
            fallback=SlackWebhook(http=http),
            secret=SecretsManagerSecret(
                secrets, settings.slack_secret_arn, slack.SlackSecret, example=slack.EXAMPLE
            ),
        ),
        "pagerduty": PagerDutyEvents(
            http=http,
            secret=SecretsManagerSecret(
                secrets,
                settings.pagerduty_secret_arn,
                pagerduty.PagerDutySecret,
                example=pagerduty.EXAMPLE,
            ),
            url=settings.pagerduty_url,
        ),
    }
