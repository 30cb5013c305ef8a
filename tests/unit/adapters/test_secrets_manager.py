from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from reflexarc.adapters.secrets.secrets_manager import (
    CACHED_S,
    FAILED_S,
    RENEW_S,
    SecretsManagerSecret,
)
from reflexarc.adapters.slack.secret import EXAMPLE, SlackSecret
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf"


class Vault:
    """Secrets Manager, as far as its client is used: answers or raises what it holds."""

    def __init__(self, holds: str | Exception) -> None:
        self.holds, self.reads = holds, 0

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 - AWS's naming
        assert SecretId == ARN
        self.reads += 1
        if isinstance(self.holds, Exception):
            raise self.holds
        return {"SecretString": self.holds} if self.holds else {"SecretBinary": b"x"}


class Hands:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def held(vault: Vault, hands: Hands | None = None) -> SecretsManagerSecret[SlackSecret]:
    return SecretsManagerSecret(
        cast("SecretsManagerClient", vault),
        ARN,
        SlackSecret,
        example=EXAMPLE,
        monotonic=hands or Hands(),
    )


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "GetSecretValue")


def token(secret: SlackSecret | None) -> str | None:
    return secret.token.get_secret_value() if secret else None


def test_a_secret_is_read_once_and_again_after_minutes() -> None:
    vault, hands = Vault('{"token": "a"}'), Hands()
    secret = held(vault, hands)

    assert [token(secret.current()) for _ in range(3)] == ["a"] * 3
    assert vault.reads == 1
    vault.holds, hands.now = '{"token": "b"}', CACHED_S
    assert token(secret.current()) == "b"


def test_a_refused_value_is_read_again_at_most_once_a_minute() -> None:
    vault, hands = Vault('{"token": "a"}'), Hands()
    secret = held(vault, hands)
    secret.current()
    vault.holds = '{"token": "b"}'

    assert secret.renewed() is None
    hands.now = RENEW_S
    assert token(secret.renewed()) == "b"
    hands.now = RENEW_S * 2
    assert secret.renewed() is None  # read, and no newer
    assert vault.reads == 3


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        (refused("ResourceNotFoundException"), "the secret has no value yet: aws secretsmanager"),
        (refused("AccessDeniedException"), f"cannot read the secret {ARN}: AccessDeniedException"),
        (EndpointConnectionError(endpoint_url="https://x"), "EndpointConnectionError"),
        ("", "the secret is malformed (the document): aws secretsmanager"),
        ("hunter2", "the secret is malformed (the document)"),
        ('{"token": {"hunter2": 1}}', "the secret is malformed (token)"),
        ('{"token": ""}', "the secret is malformed (the document)"),
    ],
)
def test_a_secret_that_cannot_be_used_says_what_to_do(holds: str | Exception, said: str) -> None:
    with pytest.raises(Unavailable) as failure:
        held(Vault(holds)).current()

    assert said in str(failure.value)
    assert "hunter2" not in str(failure.value)
    assert failure.value.__suppress_context__


def test_the_advice_can_be_pasted() -> None:
    assert held(Vault("")).advice == (
        f"aws secretsmanager put-secret-value --secret-id {ARN} --secret-string '{EXAMPLE}'"
    )


def test_a_missing_secret_is_not_asked_for_at_every_page() -> None:
    vault, hands = Vault(refused("ResourceNotFoundException")), Hands()
    secret = held(vault, hands)

    for _ in range(3):
        with pytest.raises(Unavailable):
            secret.current()
    assert vault.reads == 1
    vault.holds, hands.now = '{"token": "a"}', FAILED_S
    assert token(secret.current()) == "a"


def test_pages_go_on_with_the_known_value_while_it_cannot_be_read() -> None:
    vault, hands = Vault('{"token": "a"}'), Hands()
    secret = held(vault, hands)
    secret.current()
    vault.holds, hands.now = refused("InternalServiceError"), CACHED_S

    assert token(secret.current()) == "a"
    assert token(secret.current()) == "a"
    assert vault.reads == 2
    hands.now += RENEW_S
    with pytest.raises(Unavailable):
        secret.renewed()


def test_whoever_watches_hears_of_a_secret_that_is_missing_or_refused_and_never_its_value() -> None:
    vault, hands, heard = Vault(refused("ResourceNotFoundException")), Hands(), list[str]()
    secret = SecretsManagerSecret(
        cast("SecretsManagerClient", vault),
        ARN,
        SlackSecret,
        example=EXAMPLE,
        monotonic=hands,
        failing=heard.append,
    )

    with pytest.raises(Unavailable):
        secret.current()
    hands.now, vault.holds = FAILED_S, '{"token": "xoxb-1"}'
    secret.current()
    assert len(heard) == 1
    secret.renewed()
    hands.now += RENEW_S
    secret.renewed()
    vault.holds = '{"token": "xoxb-2"}'
    hands.now += RENEW_S
    assert token(secret.renewed()) == "xoxb-2"

    assert ["refused" in reason for reason in heard] == [False, True, True]
    assert not any("xoxb" in reason for reason in heard[1:])
