"""The shape of the Slack secret."""

from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

EXAMPLE = (
    '{"token": "xoxb-...", "signing_secret": "...", '
    '"webhook_url": "https://hooks.slack.com/services/..."}'
)


class SlackSecret(BaseModel):
    """A bot token, an incoming webhook, or best both: the webhook speaks when the token cannot.

    `signing_secret` proves that a click on a button comes from Slack; without it nobody can click.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    token: SecretStr = SecretStr("")
    webhook_url: SecretStr = SecretStr("")
    signing_secret: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not (self.token.get_secret_value() or self.webhook_url.get_secret_value()):
            raise ValueError("neither token nor webhook_url")
        return self
