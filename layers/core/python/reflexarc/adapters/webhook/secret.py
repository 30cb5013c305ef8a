"""The shape of the webhook secret: signing keys of all webhook channels, by name."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

EXAMPLE = '{"keys": {"<channel>": ["<the key>", "<the one before, while receivers change over>"]}}'
KEY_LENGTH = 32
KEYS_MAX = 2


def _long(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < KEY_LENGTH:
        raise ValueError(f"a signing key has {KEY_LENGTH} characters or more: openssl rand -hex 32")
    return value


SigningKey = Annotated[SecretStr, AfterValidator(_long)]


class WebhookSecret(BaseModel):
    """One key a name; two while receivers change over, and then every request carries both."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    keys: dict[str, Annotated[tuple[SigningKey, ...], Field(min_length=1, max_length=KEYS_MAX)]]

    def of(self, name: str) -> tuple[str, ...]:
        """Return a name's keys; none where it has none."""
        return tuple(key.get_secret_value() for key in self.keys.get(name, ()))
