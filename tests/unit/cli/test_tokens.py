"""`reflexarc token`, over a stack in memory."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.adapters.dynamodb.tokens import DynamoTokens
from reflexarc.cli.tokens import tokens_app
from reflexarc.ingest.gate import TokenGate
from reflexarc.ingest.model import Identity, Refused
from reflexarc.runtime import operator
from tests.support.aws import aws, dynamodb, make_table
from tests.support.incidents import NOW
from tests.unit.ingest.fakes import message, post

TABLE = "incidents"
run = CliRunner().invoke


@pytest.fixture
def book() -> Iterator[DynamoTokens]:
    def find(name: str, endpoint: str | None) -> operator.Deployment:
        del name, endpoint
        client = dynamodb()
        return operator.Deployment(IncidentList(client, TABLE), ConfigDocument(client, TABLE))

    with aws(), pytest.MonkeyPatch.context() as patch:
        make_table(dynamodb(), TABLE)
        patch.setattr(operator, "find", find)
        patch.setattr(operator, "system_clock", lambda: NOW)
        patch.setenv("COLUMNS", "200")
        yield DynamoTokens(dynamodb(), TABLE)


def created(*options: str) -> dict[str, str]:
    done = run(tokens_app, ["create", "--json", *options])
    assert done.exit_code == 0, done.output
    made: dict[str, str] = json.loads(done.stdout)
    return made


def admitted(book: DynamoTokens, token: str, at: datetime = NOW) -> Identity:
    return TokenGate(book).admit(post(message(), authorization=f"Bearer {token}"), at)


def test_what_is_created_opens_the_gate(book: DynamoTokens) -> None:
    made = created("--source", "node-7")

    assert admitted(book, made["token"]) == Identity(sender="token:node-7", source="node-7")


def test_the_token_alone_is_on_stdout_and_nowhere_else(book: DynamoTokens) -> None:
    done = run(tokens_app, ["create", "--source", "node-7"])

    assert admitted(book, done.stdout.strip()).source == "node-7"
    assert "this once" in done.stderr
    (kept,) = dynamodb().scan(TableName=TABLE)["Items"]
    assert done.stdout.strip().rpartition("_")[2] not in str(kept)


def test_it_lives_as_long_and_sends_as_much_as_was_said(book: DynamoTokens) -> None:
    made = created("--source", "gpu-*", "--days", "7", "--per-minute", "6000")

    kept = book.find(made["id"])

    assert kept is not None
    assert (kept.expires_at, kept.per_minute) == (NOW + timedelta(days=7), 6_000)


def test_a_source_has_two_valid_tokens_at_most(book: DynamoTokens) -> None:
    first = created("--source", "node-7")
    created("--source", "node-7")

    refused = run(tokens_app, ["create", "--source", "node-7"])
    created("--source", "node-8")
    book.revoke(first["id"], NOW)

    assert refused.exit_code == 1
    assert "2 valid tokens: revoke one of" in refused.stderr
    assert first["id"] in refused.stderr
    created("--source", "node-7")


@pytest.mark.parametrize("source", ["*", "a b", ""])
def test_a_source_that_is_none_is_refused_with_words(book: DynamoTokens, source: str) -> None:
    refused = run(tokens_app, ["create", "--source", source])

    assert refused.exit_code == 1
    assert "no source" in refused.stderr
    assert book.all() == []


def test_the_list_shows_what_is_in_force_and_no_secret(book: DynamoTokens) -> None:
    one, two = created("--source", "node-7"), created("--source", "node-8")
    book.revoke(two["id"], NOW)
    book.expire(created("--source", "node-9")["id"], NOW)

    shown = run(tokens_app, ["list"]).stdout
    facts = [json.loads(line) for line in run(tokens_app, ["list", "--json"]).stdout.splitlines()]

    assert [(each["source"], each["state"]) for each in facts] == [
        ("node-7", "in force"),
        ("node-8", "revoked"),
        ("node-9", "expired"),
    ]
    assert one["id"] in shown
    assert "2026-05-30 12:00 UTC" in shown
    assert one["token"].rpartition("_")[2] not in shown


def test_an_empty_list_says_so(book: DynamoTokens) -> None:
    assert run(tokens_app, ["list"]).stdout == "No tokens.\n"
    assert book.all() == []


def test_a_revoked_token_opens_nothing(book: DynamoTokens) -> None:
    made = created("--source", "node-7")

    assert run(tokens_app, ["revoke", made["id"]]).exit_code == 0

    with pytest.raises(Refused, match="revoked"):
        admitted(book, made["token"])


def test_a_rotation_leaves_the_old_token_a_day(book: DynamoTokens) -> None:
    old = created("--source", "node-7", "--per-minute", "60")

    done = run(tokens_app, ["rotate", old["id"], "--json"])
    new = json.loads(done.stdout)

    day = timedelta(hours=24)
    assert admitted(book, old["token"]) == admitted(book, new["token"])
    assert admitted(book, new["token"], NOW + day).source == "node-7"
    with pytest.raises(Refused, match="expired"):
        admitted(book, old["token"], NOW + day)
    kept = book.find(new["id"])
    assert kept is not None
    assert kept.per_minute == 60


def test_a_rotation_never_makes_the_old_token_live_longer(book: DynamoTokens) -> None:
    old = created("--source", "node-7", "--days", "1")

    run(tokens_app, ["rotate", old["id"], "--overlap-hours", "720"])

    kept = book.find(old["id"])
    assert kept is not None
    assert kept.expires_at == NOW + timedelta(days=1)


@pytest.mark.parametrize("command", ["revoke", "rotate"])
def test_a_token_that_is_not_there_is_told(book: DynamoTokens, command: str) -> None:
    refused = run(tokens_app, [command, "0" * 16])

    assert refused.exit_code == 1
    assert "reflexarc token list" in refused.stderr
    assert book.all() == []


def test_a_revoked_token_is_not_rotated(book: DynamoTokens) -> None:
    old = created("--source", "node-7")
    book.revoke(old["id"], NOW)

    refused = run(tokens_app, ["rotate", old["id"]])

    assert refused.exit_code == 1
    assert len(book.all()) == 1
