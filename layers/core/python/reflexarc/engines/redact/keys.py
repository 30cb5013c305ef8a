"""Finds keys, tokens and passwords.

Two rules. A token is known by its issuer's shape, wherever it stands. Anything else is known by
its name: the value of `password=`, `"api_key": "..."`, `aws_secret_access_key = ...`, of an
`Authorization` or `Cookie` header, after `Bearer`, and `user:password` in a URL. Of a named value
the name stays; so do values that hold nothing (`null`, `None`, `true`, `false`).

The shapes are looser than their issuers' (a minimum of length, not the exact one): issuers
lengthen their tokens without notice.
"""

from collections.abc import Iterator

from reflexarc.engines.redact.linear import DIGITS, compile_bytes
from reflexarc.engines.redact.model import Interval

# Each holds one of LITERALS or RARE, or what CANDIDATES match: a test holds them together.
_TOKENS = compile_bytes(
    b"|".join(
        (
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
            rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
            # https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
            rb"gh[pousr]_[A-Za-z0-9]{30,}",
            rb"github_pat_[A-Za-z0-9_]{22,}",
            # https://docs.gitlab.com/security/tokens/
            rb"glpat-[A-Za-z0-9_.-]{20,}",
            # https://docs.slack.dev/authentication/tokens
            rb"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}",
            rb"xapp-[0-9]-[A-Za-z0-9-]{10,}",
            rb"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9_/]{20,}",
            # OpenAI, Anthropic, OpenRouter, Langfuse; bare sk- has no hyphen behind it, as words do
            # https://platform.openai.com/docs/api-reference/authentication
            rb"\bsk-(?:proj|svcacct|admin|None|ant|or|lf)-[A-Za-z0-9_-]{16,}",
            rb"\bsk-[A-Za-z0-9]{20,}",
            # https://cloud.google.com/docs/authentication/api-keys
            rb"AIza[0-9A-Za-z_-]{35}",
            rb"GOCSPX-[0-9A-Za-z_-]{20,}",
            # https://docs.stripe.com/keys
            rb"[sr]k_(?:live|test)_[A-Za-z0-9]{10,}",
            # https://www.rfc-editor.org/rfc/rfc7519: a header that starts with `{"`, in base64url
            rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]+)*",
            # our own, reflexarc.ingest.tokens
            rb"rxa_[0-9a-f]{8,}_[0-9a-f]{16,}",
            # https://huggingface.co/docs/hub/security-tokens
            rb"\bhf_[A-Za-z0-9]{30,}",
            # https://docs.nvidia.com/ngc/latest/ngc-user-guide.html
            rb"nvapi-[A-Za-z0-9_-]{20,}",
        )
    )
)
_PRIVATE = compile_bytes(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_END = compile_bytes(rb"-----END [A-Z0-9 ]{0,40}-----")
_PRIVATE_BODY = compile_bytes(rb"(?:[A-Za-z0-9+/=\s:,-]|\\[nr])*")

_TOKEN = rb"(?:access|auth|refresh|id|session|security)[_-]?token"
_NAME = (
    rb"(?i:password|passwd|passphrase|api[_-]?key|secret(?:[_-]?access)?(?:[_-]?key)?|"
    rb"private[_-]?key|" + _TOKEN + rb")"
)
# https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2
_CREDENTIALS = (
    rb"(?i)authorization[\"']?[ \t]*[:=][ \t]*[\"']?"
    rb"(?:(?:bearer|basic|digest|token|apikey|negotiate|aws4-hmac-sha256)\s+)?"
)
# The part in brackets goes.
_NAMED = tuple(
    compile_bytes(pattern, captures=True)
    for pattern in (
        _NAME + rb"[\"']?[ \t]*=[ \t]*[\"']?([^\s\"'&;,<>\\]{3,})",
        _NAME + rb"[\"'][ \t]*:[ \t]*\"((?:[^\"\\\r\n]|\\.)+)",
        _NAME + rb"[\"'][ \t]*:[ \t]*'((?:[^'\\\r\n]|\\.)+)",
        _CREDENTIALS + rb"([^\s\"',;\\]{6,})",
        rb"(?i)\bcookie[\"']?[ \t]*:[ \t]*[\"']?([^\s\"'=;\\]+=[^\"'\\\r\n]+)",
    )
)
# Words follow these too ("password: required", "bearer certificates"), but words have no digits.
_GUESSED = tuple(
    compile_bytes(pattern, captures=True)
    for pattern in (
        _NAME + rb"[ \t]*:[ \t]*([^\s\"',;\\]{6,})",
        rb"(?i)\bbearer\s+([A-Za-z0-9._~+/-]{12,}=*)",
    )
)
_NOTHING = frozenset({b"null", b"none", b"true", b"false"})
# https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1; a password may hold "@" where nobody cared
_USER_INFO = compile_bytes(
    rb"://([^\s/?#@:\"'<>\\]*:[^\s/?#\"'<>\\]*)@[A-Za-z0-9\[]", captures=True
)

# RE2 looks for a pattern's first and last byte with vector instructions.
CANDIDATES = (
    compile_bytes(rb"xox[a-z][.-]"),
    compile_bytes(rb"://[^\s/?#@:\"'<>\\]*:[^\s/?#\"'<>\\]*@[A-Za-z0-9\[]"),
)
# Rare enough that each hit may be looked at.
RARE = (b"AKIA", b"ASIA", b"ABIA", b"ACCA", b"AIza", b"GOCSPX-", b"xapp-", b"-----BEGIN ")
# None overlaps another or itself, so that one pass of an automaton reports each; what stands at
# each must look like `CONFIRMED`.
LITERALS = (
    *(b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"hooks.slack.com/"),
    *(b"sk-", b"k_live_", b"k_test_", b"eyJ", b"rxa_", b"hf_", b"nvapi-"),
)
CONFIRMED = compile_bytes(
    rb"gh[pousr]_[A-Za-z0-9]{30}|github_pat_|glpat-|hooks\.|sk-[A-Za-z0-9]{20}|"
    rb"sk-(?:proj|svcacct|admin|None|ant|or|lf)-|k_(?:live|test)_[A-Za-z0-9]{10}|"
    rb"eyJ[A-Za-z0-9_-]{8}|rxa_[0-9a-f]{8}|hf_[A-Za-z0-9]{30}|nvapi-"
)
CONFIRMED_LENGTH = 64
# In any case of letters; these may overlap.
NAMES = (
    *(b"password", b"passwd", b"passphrase", b"secret", b"apikey", b"api_key", b"api-key"),
    *(b"privatekey", b"private_key", b"private-key", b"authorization", b"cookie", b"bearer"),
    *(b"accesstoken", b"access_token", b"access-token", b"authtoken", b"auth_token"),
    *(b"auth-token", b"refreshtoken", b"refresh_token", b"refresh-token", b"idtoken"),
    *(b"id_token", b"id-token", b"sessiontoken", b"session_token", b"session-token"),
    *(b"securitytoken", b"security_token", b"security-token"),
)
_MENTIONED = compile_bytes(rb"(?i:" + b"|".join(NAMES) + rb")")


class KeyDetector:
    """Finds keys, tokens and passwords."""

    kind = "key"

    def find(self, text: bytes) -> Iterator[Interval]:
        """Yield where keys stand; what one rule finds may overlap what another does."""
        for match in _TOKENS.finditer(text):
            yield match.span()
        if b"-----BEGIN" in text:
            yield from _private_keys(text)
        if b"://" in text:
            yield from user_infos(text)
        if _MENTIONED.search(text) is not None:
            yield from _named(text)


def user_infos(text: bytes) -> Iterator[Interval]:
    """Yield where `user:password` stands in URLs, with what it names left out."""
    for match in _USER_INFO.finditer(text):
        yield match.span(1)


def _private_keys(text: bytes) -> Iterator[Interval]:
    """Yield where private keys stand; one that is cut off goes as far as it may go."""
    at = 0
    while (begin := _PRIVATE.search(text, at)) is not None:
        end = _PRIVATE_END.search(text, begin.end()) or _PRIVATE_BODY.match(text, begin.end())
        at = end.end() if end is not None else len(text)
        yield begin.start(), at


def _named(text: bytes) -> Iterator[Interval]:
    for pattern in _NAMED:
        for match in pattern.finditer(text):
            start, end = match.span(1)
            if text[start:end].lower() not in _NOTHING:
                yield start, end
    for pattern in _GUESSED:
        for match in pattern.finditer(text):
            start, end = match.span(1)
            if not DIGITS.isdisjoint(text[start:end]):
                yield start, end
