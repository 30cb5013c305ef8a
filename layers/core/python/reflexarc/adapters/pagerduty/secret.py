"""The shape of the PagerDuty secret."""

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

EXAMPLE = '{"routing_key": "<32 characters>"}'
KEY_LENGTH = 32


class PagerDutySecret(BaseModel):
    """The integration key of an Events API v2 integration."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    routing_key: SecretStr

    @field_validator("routing_key")
    @classmethod
    def _is_whole(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value()
        if len(key) != KEY_LENGTH or not (key.isascii() and key.isalnum()):
            raise ValueError(f"an integration key has {KEY_LENGTH} letters and digits")
        return value
