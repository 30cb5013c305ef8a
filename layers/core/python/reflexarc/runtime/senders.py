"""Wires the vendors: one Sender a kind of channel. CONTRIBUTING says how to add one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.adapters.pagerduty import secret as pagerduty
from reflexarc.adapters.pagerduty.events_v2 import PagerDutyEvents
from reflexarc.adapters.secrets.secret import Secret
from reflexarc.adapters.secrets.secrets_manager import SecretsManagerSecret
from reflexarc.adapters.slack import secret as slack
from reflexarc.adapters.slack.people import SlackAnswers
from reflexarc.adapters.slack.sender import SlackSender
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.adapters.slack.webhook import SlackWebhook
from reflexarc.adapters.sns.sender import SnsSender
from reflexarc.adapters.webhook import secret as webhook
from reflexarc.adapters.webhook.sender import WebhookSender
from reflexarc.events.notice import ChannelKind
from reflexarc.notify.ports import Sender
from reflexarc.runtime import clients
from reflexarc.runtime.observability import count, logger
from reflexarc.runtime.settings import NotifySettings

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Supplies:
    """What a sender may be made from: settings, one HTTP pool for all, secrets read late."""

    settings: NotifySettings
    http: HttpPool

    def secret(self, arn: str, shape: type[T], example: str) -> Secret[T]:
        """Return a secret that is read when a message first needs it."""
        return _secret(arn, shape, example)


def _secret(arn: str, shape: type[T], example: str) -> Secret[T]:
    return SecretsManagerSecret(
        clients.secrets_manager(), arn, shape, example=example, failing=_secret_fails
    )


def _secret_fails(reason: str) -> None:
    logger().error("secret failing", reason=reason)
    count("SecretsFailing")


def _slack(supplies: Supplies) -> Sender:
    return SlackSender(
        api=SlackWebApi(http=supplies.http, url=supplies.settings.slack_api_url),
        fallback=SlackWebhook(http=supplies.http),
        secret=supplies.secret(
            supplies.settings.slack_secret_arn, slack.SlackSecret, slack.EXAMPLE
        ),
    )


def _pagerduty(supplies: Supplies) -> Sender:
    return PagerDutyEvents(
        http=supplies.http,
        secret=supplies.secret(
            supplies.settings.pagerduty_secret_arn, pagerduty.PagerDutySecret, pagerduty.EXAMPLE
        ),
        url=supplies.settings.pagerduty_url,
    )


def _webhook(supplies: Supplies) -> Sender:
    return WebhookSender(
        http=supplies.http,
        secret=supplies.secret(
            supplies.settings.webhook_secret_arn, webhook.WebhookSecret, webhook.EXAMPLE
        ),
    )


def _sns(supplies: Supplies) -> Sender:
    return SnsSender(client=clients.sns, topic=supplies.settings.alerts_topic_arn)


# Every kind of channel has a line here, and in events.notice.ChannelKind.
SENDERS: Mapping[ChannelKind, Callable[[Supplies], Sender]] = {
    "slack": _slack,
    "pagerduty": _pagerduty,
    "webhook": _webhook,
    "sns": _sns,
}


def senders(settings: NotifySettings) -> Mapping[ChannelKind, Sender]:
    """Return every vendor that a channel may name."""
    supplies = Supplies(settings, HttpPool())
    return {kind: make(supplies) for kind, make in SENDERS.items()}


def slack_answers(secret_arn: str, api_url: str) -> SlackAnswers:
    """Return what tells a person in Slack what became of their click."""
    return SlackAnswers(
        api=SlackWebApi(http=HttpPool(), url=api_url),
        secret=_secret(secret_arn, slack.SlackSecret, slack.EXAMPLE),
    )
