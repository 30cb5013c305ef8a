"""The shape of the telemetry secret: a key by each name that backends' headers use."""

from pydantic import ConfigDict, RootModel, SecretStr

EXAMPLE = '{"<name>": "<the key, as the header has it>"}'


class BackendKeys(RootModel[dict[str, SecretStr]]):
    """Values of headers by the names that the document gives them."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    def of(self, name: str) -> str | None:
        """Return the value of a name, None where there is none."""
        key = self.root.get(name)
        return None if key is None else key.get_secret_value()
