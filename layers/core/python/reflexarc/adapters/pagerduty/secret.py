"""The shape of the PagerDuty secret."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, model_validator

EXAMPLE = '{"routing_key": "<32 characters>", "keys": {"<name>": "<32 characters>"}}'
KEY_LENGTH = 32


def _whole(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if key and (len(key) != KEY_LENGTH or not (key.isascii() and key.isalnum())):
        raise ValueError(f"an integration key has {KEY_LENGTH} letters and digits")
    return value


RoutingKey = Annotated[SecretStr, AfterValidator(_whole)]


class PagerDutySecret(BaseModel):
    """Integration keys of Events API v2: one for every channel that names none, others by name."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    routing_key: RoutingKey = SecretStr("")
    keys: dict[str, RoutingKey] = {}

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not any(key.get_secret_value() for key in (self.routing_key, *self.keys.values())):
            raise ValueError(f"no integration key; one has {KEY_LENGTH} letters and digits")
        return self

    def key(self, name: str) -> str:
        """Return the key of a channel that names it; the first for no name; empty for none."""
        key = self.keys.get(name) if name else self.routing_key
        return key.get_secret_value() if key is not None else ""
