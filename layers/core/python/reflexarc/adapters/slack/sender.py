"""Fills notify.ports.Sender with Slack: by bot token, by webhook where the token cannot."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reflexarc.adapters.secrets.secret import Secret
from reflexarc.adapters.slack.answers import ChannelRefused, MessageGone, TokenRefused
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.adapters.slack.tokens import token_of, webhook_of, with_secret
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.adapters.slack.webhook import SlackWebhook
from reflexarc.events.notice import Channel
from reflexarc.events.page import Story
from reflexarc.kernel.errors import Rejected
from reflexarc.notify import slack_plan
from reflexarc.notify.model import Receipt, Task
from reflexarc.notify.slack_plan import FALLBACK, ROOT, VIA, known_as

JUST_NOW = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class SlackSender:
    """Keeps one message a page up to date, with its nodes and its history in its thread."""

    api: SlackWebApi
    fallback: SlackWebhook
    secret: Secret[SlackSecret]

    def next(
        self, story: Story, channel: Channel, receipt: Receipt | None, now: datetime
    ) -> Task | None:
        """Return the next thing to tell; see notify.slack_plan."""
        return slack_plan.next_task(story, channel.destination, receipt, now)

    def plain(self, task: Task, story: Story) -> Task:
        """Return the same thing as bare text."""
        return slack_plan.plain(task, story)

    def send(self, task: Task, channel: Channel, receipt: Receipt | None) -> Receipt:
        """Do it; a refused secret is read again once before the webhook is tried."""
        if not token_of(self.secret.current()):
            return self._by_webhook(task, receipt)
        try:
            return with_secret(
                self.secret, lambda secret: self._by_token(secret, task, channel, receipt)
            )
        except TokenRefused:
            if not webhook_of(self.secret.current()):
                raise
        return self._by_webhook(task, receipt)

    def find(
        self, task: Task, story: Story, channel: Channel, receipt: Receipt | None
    ) -> Receipt | None:
        """Look by our metadata in the channel's history, and for a reply in its thread.

        None as well where looking is impossible for good (no token, no scope, no such channel):
        a second message is better than none.
        """
        if not token_of(self.secret.current()):
            return None
        try:
            return with_secret(
                self.secret, lambda secret: self._find(secret, task, story, channel, receipt)
            )
        except (TokenRefused, ChannelRefused, MessageGone):
            return None

    def _find(
        self,
        secret: SlackSecret,
        task: Task,
        story: Story,
        channel: Channel,
        receipt: Receipt | None,
    ) -> Receipt | None:
        token = token_of(secret)
        if task.part == ROOT:
            return self.api.find_root(token, channel.destination, story.page)
        if receipt is None or not receipt.vendor_id:
            return None
        # All that the thread holds is taken over: what is still missing then is the next task.
        found = self.api.find_replies(token, receipt, story.page)
        return found if found != receipt else None

    def _by_token(
        self, secret: SlackSecret, task: Task, channel: Channel, receipt: Receipt | None
    ) -> Receipt:
        token, body = token_of(secret), dict(task.body)
        root = receipt.vendor_id if receipt else ""
        where = receipt.destination if receipt and root else channel.destination
        if task.part == ROOT:
            place = self.api.put(token, where, root, body)
            return _as_root(task, place.channel, place.ts, root)
        known = receipt.parts.get(task.part) if receipt else None
        ts = known.vendor_id if known else ""
        try:
            place = self.api.put(token, where, ts, _threaded(body, root))
        except MessageGone as error:
            before = receipt or task.becomes
            if _stands(before, task):
                raise Rejected(f"the message is there and takes no reply: {error}") from error
            return _without_root(before)
        return _with_reply(task, place.ts)

    def _by_webhook(self, task: Task, receipt: Receipt | None) -> Receipt:
        """Say what a webhook can: the page once, then a line for what people must notice."""
        body = dict(task.body)
        if receipt is None:
            self._post(body)
            return task.becomes.model_copy(update={"via": FALLBACK, "destination": ""})
        if _worth_a_line(task, receipt):
            self._post({"text": body["text"], "blocks": []})
        # The message that a token posted is still there to be edited once a token works again.
        return task.becomes

    def _post(self, message: dict[str, Any]) -> None:
        with_secret(self.secret, lambda secret: self.fallback.post(webhook_of(secret), message))


def _worth_a_line(task: Task, receipt: Receipt) -> bool:
    if task.part != ROOT:
        return bool(task.body.get("reply_broadcast"))
    told, now = receipt.severity, task.becomes.severity
    rises = told is not None and now is not None and now.rank > told.rank
    return task.action == "resolve" or rises


def _threaded(body: dict[str, Any], root: str) -> dict[str, Any]:
    if root:
        return body | {"thread_ts": root}
    return {name: value for name, value in body.items() if name != "reply_broadcast"}


def _as_root(task: Task, channel: str, ts: str, before: str) -> Receipt:
    update: dict[str, Any] = {"vendor_id": ts, "destination": channel, "via": VIA}
    if ts != before:
        update["parts"] = {}  # the thread of a message that is gone
    return task.becomes.model_copy(update=update)


def _with_reply(task: Task, ts: str) -> Receipt:
    name = known_as(task.part)
    posted = task.becomes.parts[name].model_copy(update={"vendor_id": ts})
    return task.becomes.model_copy(update={"parts": {**task.becomes.parts, name: posted}})


def _stands(known: Receipt, task: Task) -> bool:
    """Return whether Slack took the page's message a moment ago.

    Where a channel allows no threads, to post it anew for each reply would never end.
    """
    now = task.becomes.parts[known_as(task.part)].updated_at
    return now is not None and now - (known.updated_at or known.posted_at) < JUST_NOW


def _without_root(receipt: Receipt) -> Receipt:
    """Return what is known once the thread turns out to be gone: the page must be told anew."""
    return receipt.model_copy(update={"vendor_id": "", "digest": "", "parts": {}})
