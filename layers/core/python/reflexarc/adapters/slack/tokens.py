"""Calls Slack with the secret as it is; after a refusal once more, if there is a newer one."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from reflexarc.adapters.secrets.secret import Secret
from reflexarc.adapters.slack.answers import TokenRefused
from reflexarc.adapters.slack.secret import SlackSecret

T = TypeVar("T")


def with_secret(secret: Secret[SlackSecret], call: Callable[[SlackSecret], T]) -> T:
    """Return what the call returns; raises TokenRefused, with what to do, when none is taken."""
    for value in _values(secret):
        try:
            return call(value)
        except TokenRefused as error:
            refusal = error
    raise TokenRefused(f"{refusal}: {secret.advice}") from refusal


def token_of(secret: SlackSecret) -> str:
    """Return the bot token, empty where there is none."""
    return secret.token.get_secret_value()


def webhook_of(secret: SlackSecret) -> str:
    """Return the incoming webhook's URL, empty where there is none."""
    return secret.webhook_url.get_secret_value()


def _values(secret: Secret[SlackSecret]) -> Iterator[SlackSecret]:
    yield secret.current()
    if (newer := secret.renewed()) is not None:
        yield newer
