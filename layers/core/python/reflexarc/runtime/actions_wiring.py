"""Builds what slack_action calls, apart from `wiring`: nothing of the page path is imported."""

from functools import cache

from reflexarc.actions.service import ClickService
from reflexarc.adapters.dynamodb.clicks import DynamoClicks
from reflexarc.adapters.secrets.secrets_manager import SecretsManagerSecret
from reflexarc.adapters.slack.secret import EXAMPLE, SlackSecret
from reflexarc.adapters.slack.signing import SlackSigningSecret
from reflexarc.adapters.sqs.actions import SqsActions
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime import clients
from reflexarc.runtime.settings import SlackActionSettings


@cache
def click_service() -> ClickService:
    """Build what slack_action calls."""
    settings = SlackActionSettings.load()
    return ClickService(
        secret=SlackSigningSecret(
            SecretsManagerSecret(
                clients.secrets_manager(), settings.slack_secret_arn, SlackSecret, example=EXAMPLE
            )
        ),
        clicks=DynamoClicks(clients.dynamodb(), settings.incidents_table),
        actions=SqsActions(clients.sqs(), settings.signals_queue_url),
        clock=system_clock,
    )
