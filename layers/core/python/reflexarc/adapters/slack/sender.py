"""Fills notify.ports.Sender with Slack: by bot token, by webhook where the token cannot."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from reflexarc.adapters.secrets.secret import Secret
from reflexarc.adapters.slack import webhook
from reflexarc.adapters.slack.answers import ChannelRefused, TokenRefused
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.adapters.slack.web_api import Place, SlackWebApi
from reflexarc.events.notice import Notice
from reflexarc.notify import rules, slack_message
from reflexarc.notify.model import Receipt

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class SlackSender:
    """Posts one root message an incident generation and keeps it up to date."""

    api: SlackWebApi
    fallback: webhook.SlackWebhook
    secret: Secret[SlackSecret]

    def send(
        self, notice: Notice, receipt: Receipt | None, now: datetime, *, plain: bool = False
    ) -> Receipt:
        """Post or update; a refused secret is read again once before the webhook is tried."""
        severity, latency = rules.told(notice, receipt, now)
        message = (slack_message.plain if plain else slack_message.render)(notice, latency)
        place = self._tell(notice, receipt, message)
        return Receipt(
            vendor_id=place.ts,
            destination=place.channel,
            via=place.via,
            posted_at=receipt.posted_at if receipt else now,
            severity=severity,
            latency_ms=latency,
        )

    def find(self, notice: Notice) -> Receipt | None:
        """Look in the channel's history by our metadata.

        None as well where looking is impossible for good (no token, no scope, no such channel):
        a second message is better than none.
        """
        if not _token(self.secret.current()):
            return None
        try:
            return self._with_secret(lambda secret: self.api.find(_token(secret), notice))
        except (TokenRefused, ChannelRefused):
            return None

    def _tell(self, notice: Notice, receipt: Receipt | None, message: dict[str, Any]) -> Place:
        if not _token(self.secret.current()):
            return self._by_webhook(notice, receipt, message)
        try:
            return self._with_secret(
                lambda secret: self._by_token(secret, notice, receipt, message)
            )
        except TokenRefused:
            if not _webhook_url(self.secret.current()):
                raise
        return self._by_webhook(notice, receipt, message)

    def _by_token(
        self, secret: SlackSecret, notice: Notice, receipt: Receipt | None, message: dict[str, Any]
    ) -> Place:
        if receipt is not None and receipt.vendor_id:
            return self.api.update(_token(secret), receipt, message)
        return self.api.post(_token(secret), notice.channel.destination, message)

    def _by_webhook(
        self, notice: Notice, receipt: Receipt | None, message: dict[str, Any]
    ) -> Place:
        if receipt is None:
            self._with_secret(lambda secret: self.fallback.post(_webhook_url(secret), message))
            return Place(via=webhook.VIA)
        if notice.action == "resolve" or rules.raises(notice, receipt):
            line = {"text": message["text"], "blocks": []}
            self._with_secret(lambda secret: self.fallback.post(_webhook_url(secret), line))
        # The message that a token posted is still there to be edited once a token works again.
        return Place(via=receipt.via, channel=receipt.destination, ts=receipt.vendor_id)

    def _with_secret(self, call: Callable[[SlackSecret], T]) -> T:
        """Call with the secret; after a refusal once more, if there is a newer one."""
        for secret in self._secrets():
            try:
                return call(secret)
            except TokenRefused as error:
                refusal = error
        raise TokenRefused(f"{refusal}: {self.secret.advice}") from refusal

    def _secrets(self) -> Iterator[SlackSecret]:
        yield self.secret.current()
        if (newer := self.secret.renewed()) is not None:
            yield newer


def _token(secret: SlackSecret) -> str:
    return secret.token.get_secret_value()


def _webhook_url(secret: SlackSecret) -> str:
    return secret.webhook_url.get_secret_value()
