import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest

from reflexarc.adapters.secrets.secrets_manager import RENEW_S, SecretsManagerSecret
from reflexarc.adapters.slack.secret import EXAMPLE, SlackSecret
from reflexarc.adapters.slack.signing import SlackSigningSecret
from reflexarc.kernel.errors import Unavailable
from tests.support.aws import REGION, aws

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass
class Kept:
    client: "SecretsManagerClient"
    now: float = 0.0

    def put(self, **fields: str) -> None:
        text = json.dumps({"token": "xoxb-1", **fields})
        self.client.put_secret_value(SecretId="slack", SecretString=text)

    def signing(self) -> SlackSigningSecret:
        return SlackSigningSecret(
            SecretsManagerSecret(
                self.client, "slack", SlackSecret, example=EXAMPLE, monotonic=lambda: self.now
            )
        )


@pytest.fixture
def kept() -> Iterator[Kept]:
    with aws():
        client = boto3.client("secretsmanager", region_name=REGION)
        client.create_secret(Name="slack")
        yield Kept(client)


def test_the_signing_secret_is_read_without_what_was_pasted_around_it(kept: Kept) -> None:
    kept.put(signing_secret=" abc\n")

    assert kept.signing().current() == "abc"


def test_without_one_it_says_where_to_find_it_and_what_to_type(kept: Kept) -> None:
    kept.put()

    with pytest.raises(Unavailable, match=r"api\.slack\.com/apps.*put-secret-value"):
        kept.signing().current()


def test_one_that_is_put_there_later_is_found_within_a_minute(kept: Kept) -> None:
    kept.put()
    signing = kept.signing()
    with pytest.raises(Unavailable):
        signing.current()
    kept.put(signing_secret="abc")
    kept.now = RENEW_S

    assert signing.current() == "abc"


def test_a_regenerated_one_is_read_once_a_minute_at_most(kept: Kept) -> None:
    kept.put(signing_secret="old")
    signing = kept.signing()
    signing.current()
    kept.put(signing_secret="new")

    assert signing.renewed() is None
    kept.now = RENEW_S
    assert signing.renewed() == "new"
    assert signing.current() == "new"


def test_one_that_was_taken_away_is_none(kept: Kept) -> None:
    kept.put(signing_secret="old")
    signing = kept.signing()
    signing.current()
    kept.put()
    kept.now = RENEW_S

    assert signing.renewed() is None
