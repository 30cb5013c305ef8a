"""Verifies that Slack sent a request, and when. Pure.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

from reflexarc.actions.model import Post, Refused

# Slack's own advice: a request that is older may be a replay.
WINDOW = timedelta(minutes=5)
_TIMESTAMP = re.compile(r"[0-9]{1,11}")
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


def sent_at(post: Post, now: datetime) -> datetime:
    """Return when a request says it was sent.

    Raises Refused (401) unless its two headers have the form of a signed request and that moment
    is at most five minutes away, on either side: the signature over it is still to be checked.
    """
    if not post.signature or not post.timestamp:
        raise Refused(401, "forged: the request is not signed")
    if not (_TIMESTAMP.fullmatch(post.timestamp) and _SIGNATURE.fullmatch(post.signature)):
        raise Refused(401, "forged: the request's signature or timestamp is none of Slack's")
    at = datetime.fromtimestamp(int(post.timestamp), UTC)
    if abs(now - at) > WINDOW:
        raise Refused(401, f"stale: signed {(now - at).total_seconds():,.0f} s ago")
    return at


def is_signed(post: Post, secret: str) -> bool:
    """Return whether this secret makes this signature; takes as long for a near miss as for any."""
    if not secret:
        return False  # everybody can sign with nothing
    return hmac.compare_digest(signature_of(post, secret).encode(), post.signature.encode())


def signature_of(post: Post, secret: str) -> str:
    """Return the signature of a request's timestamp and raw body, version v0."""
    signed = b"v0:" + post.timestamp.encode() + b":" + post.body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def digest_of(post: Post) -> str:
    """Return what a verified request is remembered by: its signature is never kept as it is."""
    return hashlib.sha256(post.signature.encode()).hexdigest()
