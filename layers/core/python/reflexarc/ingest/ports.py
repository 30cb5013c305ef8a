"""What ingest needs from the outside world."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from reflexarc.ingest.model import Entry, Identity, Lane, Request, Token
from reflexarc.kernel.errors import ReflexError

if TYPE_CHECKING:
    from reflexarc.events.otlp_batch import OtlpBatch
    from reflexarc.events.packed import Pointer


class Tokens(Protocol):
    """Knows the bearer tokens."""

    def find(self, token_id: str) -> Token | None:
        """Return a token, None where there is none of this id; raises Unavailable."""


class TokenBook(Tokens, Protocol):
    """Keeps the bearer tokens, for operators."""

    def add(self, token: Token) -> None:
        """Keep a new token."""

    def all(self) -> Sequence[Token]:
        """Return every token that is still kept, by source, then by age."""

    def revoke(self, token_id: str, at: datetime) -> bool:
        """End a token now; False where there is none of this id. The first revocation counts."""

    def expire(self, token_id: str, at: datetime) -> bool:
        """End a token at a later moment; False where there is none of this id."""


class Gate(Protocol):
    """Decides who sent a request."""

    def admit(self, request: Request, now: datetime) -> Identity:
        """Return the verified sender; raises Refused, or Unavailable where that is not known."""


class Relay(Protocol):
    """Hands messages to the queues."""

    def send(self, lane: Lane, entries: Sequence[Entry], sender: str) -> Mapping[int, ReflexError]:
        """Hand over one batch; return why some were not accepted, by the entry's index.

        Raises Unavailable when it is not known that any was accepted.
        """


class Payloads(Protocol):
    """Keeps what is too large for a message."""

    def put(self, key: str, payload: bytes) -> "Pointer":
        """Keep a payload; return what finds it again. Raises Unavailable."""


class Batches(Protocol):
    """Hands OTLP batches to the rules."""

    def send(self, batch: "OtlpBatch", sender: str) -> None:
        """Hand over one batch; raises Unavailable when it is not known that it was accepted."""
