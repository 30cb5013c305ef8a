"""ingest.ports.Tokens and TokenBook: what memory and DynamoDB both promise."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reflexarc.adapters.dynamodb.tokens import DynamoTokens
from reflexarc.adapters.memory.tokens import MemoryTokens
from reflexarc.ingest.model import Token
from reflexarc.ingest.ports import TokenBook
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.ports.conftest import Table
from tests.support.incidents import NOW, at


@pytest.fixture(params=["memory", "dynamodb"])
def book(request: pytest.FixtureRequest) -> TokenBook:
    if request.param == "memory":
        return MemoryTokens()
    table: Table = request.getfixturevalue("table")
    return DynamoTokens(table.client, table.name)


def token(number: int = 1, source: str = "node-7", age_s: float = 0) -> Token:
    return Token(
        id=f"{number:016x}",
        digest="d" * 64,
        source=source,
        created_at=NOW - timedelta(seconds=age_s),
        expires_at=at(90 * 86_400),
        per_minute=600,
    )


def test_a_token_is_found_as_it_was_added(book: TokenBook) -> None:
    book.add(token())

    assert book.find(token().id) == token()


def test_an_unknown_token_is_not_found(book: TokenBook) -> None:
    assert book.find("0" * 16) is None


def test_an_id_is_taken_once(book: TokenBook) -> None:
    book.add(token())

    with pytest.raises(Rejected, match="already"):
        book.add(replace(token(), source="another"))
    assert book.find(token().id) == token()


def test_tokens_are_listed_by_source_then_by_age(book: TokenBook) -> None:
    listed = [token(3, "a"), token(2, "b", age_s=60), token(1, "b")]
    for each in reversed(listed):
        book.add(each)

    assert list(book.all()) == listed


def test_the_first_revocation_counts(book: TokenBook) -> None:
    book.add(token())

    assert book.revoke(token().id, at(10))
    assert book.revoke(token().id, at(99))
    assert book.find(token().id) == replace(token(), revoked_at=at(10))


def test_the_end_of_a_token_can_be_moved(book: TokenBook) -> None:
    book.add(token())

    assert book.expire(token().id, at(60))
    assert book.find(token().id) == replace(token(), expires_at=at(60))


def test_what_is_not_there_cannot_be_ended(book: TokenBook) -> None:
    assert not book.revoke(token().id, NOW)
    assert not book.expire(token().id, NOW)
    assert book.find(token().id) is None


def test_a_revoked_token_is_still_listed(book: TokenBook) -> None:
    book.add(token())
    book.revoke(token().id, at(1))

    assert [each.revoked_at for each in book.all()] == [at(1)]


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError"])
def test_a_table_that_does_not_answer_is_unavailable(table: Table, code: str) -> None:
    book = DynamoTokens(table.client, table.name)
    for call in (
        lambda: book.find("x"),
        lambda: book.add(token()),
        book.all,
        lambda: book.revoke("x", NOW),
    ):
        table.faults.refuse(code)

        with pytest.raises(Unavailable):
            call()


def test_a_row_that_is_unreadable_is_unavailable_and_not_unknown(table: Table) -> None:
    table.client.put_item(
        TableName=table.name,
        Item={"pk": {"S": "TOKEN#1"}, "sk": {"S": "TOKEN"}, "digest": {"S": "x"}},
    )

    with pytest.raises(Unavailable, match="unreadable"):
        DynamoTokens(table.client, table.name).find("1")


def test_a_row_disappears_a_month_after_its_token_ended(table: Table) -> None:
    DynamoTokens(table.client, table.name).add(token())

    row = table.client.get_item(
        TableName=table.name, Key={"pk": {"S": f"TOKEN#{token().id}"}, "sk": {"S": "TOKEN"}}
    )["Item"]

    assert int(row["ttl"]["N"]) == round((at(90 * 86_400) + timedelta(days=30)).timestamp())
