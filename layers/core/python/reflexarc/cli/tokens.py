"""`reflexarc token`: make, list, end and renew the bearer tokens of nodes that send by HTTPS."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from reflexarc.cli.stack import AsJson, EndpointUrl, StackName, deployment
from reflexarc.cli.terminal import console
from reflexarc.ingest.model import Token
from reflexarc.ingest.tokens import (
    ID_BYTES,
    PER_MINUTE,
    SECRET_BYTES,
    VALID_AT_ONCE,
    issued,
)
from reflexarc.kernel.errors import Rejected

if TYPE_CHECKING:
    from reflexarc.ingest.ports import TokenBook

tokens_app = typer.Typer(
    no_args_is_help=True, help="Bearer tokens of nodes that send by HTTPS without AWS credentials."
)
TokenId = Annotated[str, typer.Argument(metavar="ID", help="The token's id, from the list.")]
Days = Annotated[int, typer.Option(min=1, max=3_650, help="How long it is in force.")]


@tokens_app.command()
def create(
    *,
    source: Annotated[
        str, typer.Option(help="The node that it speaks for, or a pattern such as 'gpu-*'.")
    ],
    days: Days = 90,
    per_minute: Annotated[
        int, typer.Option(min=1, help="Requests a minute that it may send.")
    ] = PER_MINUTE,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this once: only its hash is kept."""
    with _book(stack, endpoint) as (book, now):
        token, secret = _made(book, source, now, timedelta(days=days), per_minute)
    _hand_over(token, secret, as_json=as_json)


@tokens_app.command("list")
def list_tokens(
    *, stack: StackName = "reflexarc", endpoint: EndpointUrl = None, as_json: AsJson = False
) -> None:
    """List every token by what it speaks for; those that ended are kept for a month."""
    with _book(stack, endpoint) as (book, now):
        found = book.all()
    if as_json:
        for token in found:
            typer.echo(json.dumps(_facts(token, now)))
        return
    if not found:
        typer.echo("No tokens.")
        return
    table = Table("id", "speaks for", "state", "created", "expires", "a minute", box=None)
    for token in found:
        facts = _facts(token, now)
        table.add_row(*(escape(str(facts[name])) for name in _SHOWN))
    console().print(table)


@tokens_app.command()
def revoke(
    token_id: TokenId, *, stack: StackName = "reflexarc", endpoint: EndpointUrl = None
) -> None:
    """End a token: it opens nothing from half a minute on."""
    with _book(stack, endpoint) as (book, now):
        if not book.revoke(token_id, now):
            raise Rejected(f"there is no token {token_id}: see `reflexarc token list`")
    typer.echo(f"token {token_id} is revoked; within 30 s it is refused everywhere")


@tokens_app.command()
def rotate(
    token_id: TokenId,
    *,
    days: Days = 90,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=720, help="How long the old one stays in force.")
    ] = 24,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a token for the same source and let the old one end soon: no node falls silent."""
    with _book(stack, endpoint) as (book, now):
        old = book.find(token_id)
        if old is None:
            raise Rejected(f"there is no token {token_id}: see `reflexarc token list`")
        if old.revoked_at is not None:
            raise Rejected(f"token {token_id} was revoked: make a new one with `token create`")
        token, secret = _made(book, old.source, now, timedelta(days=days), old.per_minute)
        book.expire(old.id, min(old.expires_at, now + timedelta(hours=overlap_hours)))
    _hand_over(token, secret, as_json=as_json)


_SHOWN = ("id", "source", "state", "created_at", "expires_at", "per_minute")


@contextmanager
def _book(stack: str, endpoint: str | None) -> Iterator[tuple["TokenBook", datetime]]:
    with deployment(stack, endpoint) as deployed:
        yield deployed.tokens, deployed.now()


def _made(
    book: "TokenBook", source: str, now: datetime, lives: timedelta, per_minute: int
) -> tuple[Token, str]:
    valid = [token for token in book.all() if token.source == source and token.valid(now)]
    if len(valid) >= VALID_AT_ONCE:
        ids = " and ".join(token.id for token in valid)
        raise Rejected(f"{source} has {len(valid)} valid tokens: revoke one of {ids} first")
    token, secret = issued(
        source, os.urandom(ID_BYTES + SECRET_BYTES), now, lives=lives, per_minute=per_minute
    )
    book.add(token)
    return token, secret


def _hand_over(token: Token, secret: str, *, as_json: bool) -> None:
    if as_json:
        facts = {"id": token.id, "source": token.source, "expires_at": _day(token.expires_at)}
        typer.echo(json.dumps(facts | {"token": secret}))
        return
    # The token alone on stdout: `reflexarc token create ... > token` writes the file.
    typer.echo(
        f"token {token.id} speaks for {token.source} until {_day(token.expires_at)};"
        " it is shown this once:",
        err=True,
    )
    typer.echo(secret)


def _facts(token: Token, now: datetime) -> dict[str, str | int]:
    state = "in force" if token.valid(now) else "revoked" if token.revoked_at else "expired"
    return {
        "id": token.id,
        "source": token.source,
        "state": state,
        "created_at": _day(token.created_at),
        "expires_at": _day(token.expires_at),
        "per_minute": token.per_minute,
    }


def _day(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
