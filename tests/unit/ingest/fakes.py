"""Messages, requests and a relay to test ingest with."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reflexarc.adapters.memory.tokens import MemoryTokens
from reflexarc.ingest.model import Entry, Identity, Lane, Request, Token
from reflexarc.ingest.tokens import issued
from reflexarc.kernel.errors import ReflexError, Unavailable
from tests.support.incidents import NOW, ulid_of

DAYS = timedelta(days=90)


def message(
    number: int = 1, *, node: Any = "node-7", schema: Any = "gpu_faults/1", **more: Any
) -> str:
    """Return one message as an agent writes it."""
    return json.dumps(
        {"schema": schema, "id": ulid_of(number), "source": {"node": node}, "seq": number, **more}
    )


def body(*messages: str) -> bytes:
    return f'{{"messages":[{",".join(messages)}]}}'.encode()


def post(*messages: str, **changes: Any) -> Request:
    return replace(
        Request(method="POST", path="/v1/gpu", body=body(*messages), user_id="AROAFLEET:i-1"),
        **changes,
    )


def packed(*messages: str) -> Request:
    return post(body=gzip.compress(body(*messages)), encoding="gzip")


def made(
    source: str = "node-7", number: int = 1, *, now: datetime = NOW, **more: Any
) -> tuple[Token, str]:
    """Return a token and what its holder presents."""
    entropy = number.to_bytes(8, "big") + bytes(range(32))
    return issued(source, entropy, now, **{"lives": DAYS, **more})


@dataclass
class Relayed:
    """Fills Relay in memory, failing as planned."""

    sent: list[tuple[Lane, str, str]] = field(default_factory=list)
    batches: list[Sequence[Entry]] = field(default_factory=list)
    down: set[Lane] = field(default_factory=set)
    problems: dict[int, ReflexError] = field(default_factory=dict)

    def send(self, lane: Lane, entries: Sequence[Entry], sender: str) -> Mapping[int, ReflexError]:
        self.batches.append(entries)
        if lane in self.down:
            raise Unavailable(f"{lane} is down")
        self.sent += [
            (lane, each.body, sender) for each in entries if each.index not in self.problems
        ]
        return {
            each.index: self.problems[each.index] for each in entries if each.index in self.problems
        }


@dataclass
class Counted:
    """Fills Tokens: counts how often it is read, and may be out of reach."""

    kept: MemoryTokens = field(default_factory=MemoryTokens)
    reads: list[str] = field(default_factory=list)
    down: bool = False

    def find(self, token_id: str) -> Token | None:
        self.reads.append(token_id)
        if self.down:
            raise Unavailable("the table does not answer")
        return self.kept.find(token_id)


_NODE = Identity(sender="iam:AROAFLEET:i-1")


@dataclass(frozen=True)
class Open:
    """Fills Gate: admits everybody as one sender."""

    identity: Identity = _NODE

    def admit(self, request: Request, now: datetime) -> Identity:
        del request, now
        return self.identity
