"""Bearer tokens: how they read, what is kept of them, and what they allow. Pure.

A token is `rxa_<id>_<secret>`. The id finds its row; of the secret only the SHA-256 is kept. The
secret is 256 random bits: nobody guesses it, and nobody finds it from its hash by trying, so a slow
hash (bcrypt, scrypt), which protects what people choose, would only cost each request 50 ms of CPU.
"""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from reflexarc.ingest.model import Refused, Token
from reflexarc.kernel.errors import Rejected

ID_BYTES, SECRET_BYTES = 8, 32
# One node that sends each minute, with room for a storm; a token for many nodes needs more.
PER_MINUTE = 600
# Two allow a rotation without a gap; a third is one that somebody forgot.
VALID_AT_ONCE = 2
_SECRET = re.compile(r"rxa_([0-9a-f]{16})_([0-9a-f]{64})")
_SOURCE = re.compile(r"[A-Za-z0-9._*?-]{1,253}")


def issued(
    source: str,
    entropy: bytes,
    now: datetime,
    *,
    lives: timedelta,
    per_minute: int = PER_MINUTE,
) -> tuple[Token, str]:
    """Return a new token and the text that its holder presents; the text is kept nowhere."""
    if not _SOURCE.fullmatch(source) or not source.strip("*?"):
        raise Rejected(
            f"{source!r} is no source: a node's name, or a pattern such as gpu-* "
            "(letters, digits, . _ - and the wildcards * and ?)"
        )
    if lives <= timedelta() or per_minute < 1:
        raise Rejected("a token must live and may send at least once a minute")
    token_id, secret = entropy[:ID_BYTES].hex(), entropy[ID_BYTES:].hex()
    if len(entropy) != ID_BYTES + SECRET_BYTES:
        raise Rejected(f"a token takes {ID_BYTES + SECRET_BYTES} random bytes")
    token = Token(
        id=token_id,
        digest=digest(secret),
        source=source,
        created_at=now,
        expires_at=now + lives,
        per_minute=per_minute,
    )
    return token, f"rxa_{token_id}_{secret}"


def digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def presented(authorization: str) -> tuple[str, str]:
    """Return id and secret of an Authorization header; raises Refused, without repeating it."""
    scheme, _, value = authorization.partition(" ")
    match = _SECRET.fullmatch(value.strip()) if scheme.lower() == "bearer" else None
    if match is None:
        raise Refused(401, "Authorization must be `Bearer rxa_<id>_<secret>`")
    return match[1], match[2]


def is_secret(text: str) -> bool:
    """Return whether this reads as a token."""
    return _SECRET.fullmatch(text) is not None


def check(token: Token, secret: str, now: datetime) -> None:
    """Raise Refused unless the secret is the token's and the token is in force."""
    # Only who holds the secret learns that a token expired or was revoked.
    if not hmac.compare_digest(digest(secret), token.digest):
        raise Refused(401, "this token is not known", who=f"token {token.id}")
    if token.revoked_at is not None and token.revoked_at <= now:
        raise Refused(401, f"token {token.id} was revoked", who=f"token {token.id}")
    if now >= token.expires_at:
        raise Refused(401, f"token {token.id} expired: rotate it in time", who=f"token {token.id}")


def speaks_for(source: str, node: str) -> bool:
    """Return whether a token's source covers a node; upper and lower case differ."""
    return fnmatchcase(node, source)
