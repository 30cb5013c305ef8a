"""What a Slack secret holds, and calls that need it."""

from collections.abc import Callable
from typing import TypeVar

from reflexarc.adapters.secrets.refusal import despite_refusal
from reflexarc.adapters.secrets.secret import Secret
from reflexarc.adapters.slack.answers import TokenRefused
from reflexarc.adapters.slack.secret import SlackSecret

T = TypeVar("T")


def with_secret(secret: Secret[SlackSecret], call: Callable[[SlackSecret], T]) -> T:
    """Return what the call returns; raises TokenRefused, with what to do, when none is taken."""
    return despite_refusal(secret, TokenRefused, call)


def token_of(secret: SlackSecret) -> str:
    """Return the bot token, empty where there is none."""
    return secret.token.get_secret_value()


def webhook_of(secret: SlackSecret) -> str:
    """Return the incoming webhook's URL, empty where there is none."""
    return secret.webhook_url.get_secret_value()
