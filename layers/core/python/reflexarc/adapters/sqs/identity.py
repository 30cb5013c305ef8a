"""Which AWS credentials an agent would use, as far as that can be told without a call of ours."""

from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError

from reflexarc.adapters.sqs.lean_session import lean_session
from reflexarc.kernel.errors import Rejected

# botocore's names of the ways to credentials, in words. botocore/credentials.py, METHOD
_WORDS = {
    "iam-role": "the instance profile",
    "container-role": "the container's role (ECS, EKS Pod Identity)",
    "assume-role-with-web-identity": "a web identity (IRSA)",
    "assume-role": "an assumed role",
    "env": "environment variables",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS configuration file",
    "custom-process": "a credential process (Roles Anywhere)",
    "sso": "IAM Identity Center",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Where credentials come from, how their key id ends, and when they expire."""

    method: str
    key_ends: str
    expires_at: datetime | None


def identity() -> Identity:
    """Return the identity of the standard credential chain; raises Rejected where it has none."""
    try:
        credentials = lean_session().get_credentials()
        frozen = None if credentials is None else credentials.get_frozen_credentials()
    except BotoCoreError as error:
        raise Rejected(f"no AWS credentials: {error}") from error
    if credentials is None or frozen is None or not frozen.access_key:
        raise Rejected(
            "no AWS credentials: give this node an instance profile, IRSA or Pod Identity, or Roles"
            " Anywhere (docs/guides/agent.md#node-identity)"
        )
    # Nothing public tells it; without it the line is only shorter.
    expiry = getattr(credentials, "_expiry_time", None)
    return Identity(
        method=_WORDS.get(credentials.method, credentials.method),
        key_ends=frozen.access_key[-4:],
        expires_at=expiry.astimezone(UTC) if isinstance(expiry, datetime) else None,
    )
