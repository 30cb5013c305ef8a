"""Fills incidents.ports.Answers with Slack: a message that one person sees."""

from dataclasses import dataclass

from reflexarc.adapters.secrets.secret import Secret
from reflexarc.adapters.slack.answers import ChannelRefused, TokenRefused
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.adapters.slack.tokens import token_of, with_secret
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.kernel.errors import Ambiguous, Rejected
from reflexarc.notify.hostile_text import mrkdwn

TEXT = 1_000


@dataclass(frozen=True, kw_only=True)
class SlackAnswers:
    """Tells who clicked what became of it, in the channel where they did."""

    api: SlackWebApi
    secret: Secret[SlackSecret]

    def answer(self, reply_to: str, person: str, text: str) -> None:
        """Show a text to one person; `reply_to` is "<channel>|<ts of the message>".

        What cannot be told for good is let go (the page itself shows what was done), and so is a
        lost answer: a person who reads it twice takes no harm, one who retries the action might.
        """
        channel, _, _ = reply_to.partition("|")
        said = mrkdwn(text, TEXT)
        if not (channel and person and said and token_of(self.secret.current())):
            return
        try:
            with_secret(
                self.secret,
                lambda secret: self.api.whisper(token_of(secret), channel, person, said),
            )
        except (Ambiguous, ChannelRefused, Rejected, TokenRefused):
            return
