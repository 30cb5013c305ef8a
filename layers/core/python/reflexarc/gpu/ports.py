"""What the gpu slice needs from the outside world."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from reflexarc.events.signal import Signal
from reflexarc.gpu.model import Delivery


class Incidents(Protocol):
    """Turns signals into incidents and pages."""

    def record(self, signals: Sequence[Signal]) -> frozenset[str]:
        """Record the signals; return the ids of those that must be sent again later."""


class DeadLetters(Protocol):
    """Keeps what can never succeed, with the reason."""

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Store the message; raises Unavailable when it could not be stored."""


class Senders(Protocol):
    """Remembers which sender speaks for which node."""

    def speaks_for(self, node: str, sender: str, now: datetime) -> bool:
        """Bind the node to the sender on first use; False when another live sender holds it."""

    def holder(self, node: str) -> str:
        """Return the sender that a node is bound to; empty where it is bound to none."""
