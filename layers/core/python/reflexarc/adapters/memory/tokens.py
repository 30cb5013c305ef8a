"""Fills ingest.ports.Tokens and TokenBook in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reflexarc.ingest.model import Token
from reflexarc.kernel.errors import Rejected


@dataclass(frozen=True, slots=True)
class MemoryTokens:
    """Tokens by id."""

    kept: dict[str, Token] = field(default_factory=dict)

    def find(self, token_id: str) -> Token | None:
        """Return a token, None where there is none of this id."""
        return self.kept.get(token_id)

    def add(self, token: Token) -> None:
        """Keep a new token; raises Rejected where its id is taken."""
        if token.id in self.kept:
            raise Rejected(f"there is a token {token.id} already")
        self.kept[token.id] = token

    def all(self) -> Sequence[Token]:
        """Return every token that is still kept, by source, then by age."""
        return sorted(self.kept.values(), key=lambda token: (token.source, token.created_at))

    def revoke(self, token_id: str, at: datetime) -> bool:
        """End a token now; False where there is none of this id. The first revocation counts."""
        token = self.kept.get(token_id)
        if token is None:
            return False
        self.kept[token_id] = replace(token, revoked_at=token.revoked_at or at)
        return True

    def expire(self, token_id: str, at: datetime) -> bool:
        """End a token at a later moment; False where there is none of this id."""
        token = self.kept.get(token_id)
        if token is None:
            return False
        self.kept[token_id] = replace(token, expires_at=at)
        return True
