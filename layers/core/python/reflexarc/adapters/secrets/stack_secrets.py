"""Fills runtime.secret_check.SecretTexts with the secrets of a deployed stack, for its operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True, slots=True)
class StackSecrets:
    """Secrets by the kind of channel that speaks with them; `arns` is empty for other kinds."""

    client: "SecretsManagerClient"
    arns: Mapping[str, str]

    def text(self, kind: str) -> str | None:
        """Return a secret's value, "" where it has none, None for a kind without a secret.

        Raises Unavailable when it may not be read: an operator need not be allowed to.
        """
        if kind not in self.arns:
            return None
        try:
            answer = self.client.get_secret_value(SecretId=self.arns[kind])
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown error")
            if code == "ResourceNotFoundException":
                return ""
            raise Unavailable(f"the {kind} secret cannot be read: {code}") from error
        except BotoCoreError as error:
            name = type(error).__name__
            raise Unavailable(f"the {kind} secret cannot be read: {name}") from error
        return answer.get("SecretString", "")

    def put_command(self, kind: str) -> str:
        """Return the beginning of the command that gives a kind's secret its value."""
        return f"aws secretsmanager put-secret-value --secret-id {self.arns[kind]}"
