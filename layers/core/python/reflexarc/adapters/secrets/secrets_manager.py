"""Fills adapters.secrets.Secret from AWS Secrets Manager.

Values are cached for minutes and never appear in an error, a log or a repr.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ValidationError

from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

T = TypeVar("T", bound=BaseModel)

CACHED_S = 300.0
RENEW_S = 60.0  # a refused value is read again at most this often
FAILED_S = 15.0  # a secret that is missing is asked for at most this often


class SecretsManagerSecret(Generic[T]):
    """One JSON secret, read as `shape`; `example` shows an operator what to put there."""

    def __init__(
        self,
        client: "SecretsManagerClient",
        secret_id: str,
        shape: type[T],
        *,
        example: str,
        monotonic: Callable[[], float] = time.monotonic,
        failing: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._shape = shape
        self._example = example
        self._monotonic = monotonic
        # Told, without the value, when the secret cannot be read or its value was refused.
        self._failing = failing
        self._value: T | None = None
        self._failure: Unavailable | None = None
        self._read_at = float("-inf")

    @property
    def advice(self) -> str:
        """Return what an operator must type to put the secret right."""
        return (
            f"aws secretsmanager put-secret-value --secret-id {self._secret_id} "
            f"--secret-string '{self._example}'"
        )

    def current(self) -> T:
        """Return the cached value, or read it; raises Unavailable with what to do.

        A value that was good once is used on while it cannot be read again: a page must not wait
        for Secrets Manager. If the vendor refuses it, that shows.
        """
        age = self._monotonic() - self._read_at
        if self._value is None:
            if self._failure is not None and age < FAILED_S:
                raise Unavailable(str(self._failure))
            return self._read()
        if age >= CACHED_S:
            with suppress(Unavailable):
                return self._read()
        return self._value

    def renewed(self) -> T | None:
        """Return a value that differs from the refused one, reading at most once a minute."""
        refused = self._value
        recent = self._monotonic() - self._read_at < RENEW_S
        value = refused if recent else self._read()
        if value != refused:
            return value
        self._failing(f"the secret {self._secret_id} was refused, and there is no newer one")
        return None

    def _read(self) -> T:
        self._read_at = self._monotonic()
        self._failure = None
        try:
            self._value = self._parsed(self._fetched())
        except Unavailable as error:
            self._failure = error
            self._failing(str(error))
            raise
        return self._value

    def _fetched(self) -> str:
        try:
            answer = self._client.get_secret_value(SecretId=self._secret_id)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown error")
            if code == "ResourceNotFoundException":
                raise Unavailable(f"the secret has no value yet: {self.advice}") from None
            raise Unavailable(f"cannot read the secret {self._secret_id}: {code}") from None
        except BotoCoreError as error:
            name = type(error).__name__
            raise Unavailable(f"cannot read the secret {self._secret_id}: {name}") from None
        return answer.get("SecretString", "")

    def _parsed(self, text: str) -> T:
        try:
            return self._shape.model_validate_json(text)
        except ValidationError as error:
            # The error's own text would show the value.
            wrong = ", ".join(
                ".".join(str(part) for part in problem["loc"]) or "the document"
                for problem in error.errors(include_input=False, include_context=False)
            )
            raise Unavailable(f"the secret is malformed ({wrong}): {self.advice}") from None
