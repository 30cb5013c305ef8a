"""Fills gpu.ports.Senders in memory."""

from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.gpu.kinship import patience


@dataclass(frozen=True, slots=True)
class MemorySenders:
    """Which sender speaks for which node, and when it was last heard."""

    bindings: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def speaks_for(self, node: str, sender: str, now: datetime) -> bool:
        """Bind the node to the sender on first use; False when another live sender holds it."""
        known, seen_at = self.bindings.get(node, (sender, now))
        if known != sender and now - seen_at < patience(known, sender):
            return False
        self.bindings[node] = sender, now
        return True

    def holder(self, node: str) -> str:
        """Return the sender that a node is bound to; empty where it is bound to none."""
        return self.bindings.get(node, ("", None))[0]
