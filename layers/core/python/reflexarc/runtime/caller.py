"""Who types a command, as the ledger will name them."""

from collections.abc import Mapping
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError


class Sts(Protocol):
    """The one call of AWS STS that this needs. Anybody may make it."""

    def get_caller_identity(self) -> Mapping[str, Any]:
        """Return the caller's account and ARN."""


def caller_of(sts: Sts) -> str:
    """Return the name at the end of the caller's ARN, empty where nobody can say.

    Of an assumed role that is the session's name, which single sign-on sets to the person's.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    try:
        arn = str(sts.get_caller_identity().get("Arn", ""))
    except (BotoCoreError, ClientError):
        return ""
    return arn.rpartition("/")[2] if "/" in arn else arn.rpartition(":")[2]
