"""Answers a click: verified, taken once, handed on; whoever applies it answers the person."""

from dataclasses import dataclass

from reflexarc.actions.clicks import clicked
from reflexarc.actions.model import Post, Refused, Reply
from reflexarc.actions.ports import Actions, Clicks, SigningSecret
from reflexarc.actions.signature import digest_of, is_signed, sent_at
from reflexarc.events.action import Action
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Unavailable

# Slack's largest message is fifty blocks of 3,000 characters, and a form triples most of them.
# https://docs.slack.dev/reference/block-kit/blocks
BODY_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickService:
    """Takes clicks. What is not answered with 200 changed nothing, and the person sees that."""

    secret: SigningSecret
    clicks: Clicks
    actions: Actions
    clock: Clock

    def answer(self, post: Post) -> Reply:
        """Return what became of a request."""
        try:
            return Reply(status=200, done=self._taken(post))
        except Refused as refusal:
            return Reply(status=refusal.status, reason=str(refusal))
        except Unavailable as error:
            # Slack shows the person an error; their next click has another signature.
            return Reply(status=500, reason=f"the click was not taken: {error}")

    def _taken(self, post: Post) -> tuple[Action, ...]:
        if post.method != "POST":
            raise Refused(405, "only POST is answered")
        if len(post.body) > BODY_MAX:
            raise Refused(400, f"the body has more than {BODY_MAX:,} bytes")
        now = self.clock()
        at = sent_at(post, now)
        self._check_signature(post)
        actions = clicked(post, at)
        # Noted before it is handed on: a replay while the queue is slow finds the note.
        if actions and not self.clicks.first_time(digest_of(post), now):
            raise Refused(401, "replayed: this click was taken before")
        for action in actions:
            self.actions.send(action)
        return actions

    def _check_signature(self, post: Post) -> None:
        try:
            if is_signed(post, self.secret.current()):
                return
            renewed = self.secret.renewed()
        except Unavailable as error:
            raise Refused(503, f"cannot check who clicks: {error}") from error
        if renewed is None or not is_signed(post, renewed):
            raise Refused(401, "forged: not signed with the signing secret")
