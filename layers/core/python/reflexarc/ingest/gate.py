"""Fills Gate, by what AWS verified or by bearer tokens."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reflexarc.ingest.bucket import Bucket, taken
from reflexarc.ingest.model import Identity, Refused, Request, Token
from reflexarc.ingest.ports import Tokens
from reflexarc.ingest.tokens import check, presented

# A revoked token works so much longer, in an environment that has just read it.
KNOWN_FOR = timedelta(seconds=30)
# And a new one so much later, where somebody tried it before it was there.
ABSENT_FOR = timedelta(seconds=10)
REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class IamGate:
    """Admits whom Lambda let through: it verified the signature and the right to call."""

    def admit(self, request: Request, now: datetime) -> Identity:  # noqa: ARG002 - the port's
        """Return who signed the request."""
        if not request.user_id:
            raise Refused(401, "the request is not signed: the stack's IngestAuth is AWS_IAM")
        return Identity(sender=f"iam:{request.user_id}")


@dataclass(slots=True)
class TokenGate:
    """Admits who holds a token, at the token's rate.

    A sender is called by its token's source, not by its id: both tokens of a rotation are the same
    sender, so that a node's name passes from one to the other without a wait.
    """

    tokens: Tokens
    _known: dict[str, tuple[Token, datetime]] = field(default_factory=dict)
    _absent: dict[str, datetime] = field(default_factory=dict)
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def admit(self, request: Request, now: datetime) -> Identity:
        """Return whose token it is."""
        token_id, secret = presented(request.authorization)
        token = self._find(token_id, now)
        if token is None:
            raise Refused(401, "this token is not known", who=f"token {token_id}")
        check(token, secret, now)
        _make_room(self._buckets, token_id)
        self._buckets[token_id], wait = taken(self._buckets.get(token_id), token.per_minute, now)
        if wait is not None:
            raise Refused(
                429,
                f"token {token_id} may send {token.per_minute} requests a minute",
                who=f"token {token_id}",
                retry_after=wait,
            )
        return Identity(sender=f"token:{token.source}", source=token.source)

    def _find(self, token_id: str, now: datetime) -> Token | None:
        known = self._known.get(token_id)
        if known is not None and now - known[1] < KNOWN_FOR:
            return known[0]
        absent = self._absent.get(token_id)
        if absent is not None and now - absent < ABSENT_FOR:
            return None
        found = self.tokens.find(token_id)
        self._known.pop(token_id, None)
        if found is None:
            _make_room(self._absent, token_id)
            self._absent[token_id] = now
        else:
            _make_room(self._known, token_id)
            self._known[token_id] = found, now
        return found


def _make_room(remembered: MutableMapping[str, Any], name: str) -> None:
    """Forget all where one more would be too many; what matters is read again."""
    if name not in remembered and len(remembered) >= REMEMBERED:
        remembered.clear()
