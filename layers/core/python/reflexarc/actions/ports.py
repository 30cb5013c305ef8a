"""What clicks need from the outside world."""

from datetime import datetime
from typing import Protocol

from reflexarc.events.action import Action


class SigningSecret(Protocol):
    """The secret that Slack signs with; it may be regenerated at any time."""

    def current(self) -> str:
        """Return it; raises Unavailable, with what to do, while there is none."""

    def renewed(self) -> str | None:
        """Return another one after a mismatch; None where there is no newer one to try."""


class Clicks(Protocol):
    """Remembers which clicks were taken."""

    def first_time(self, digest: str, now: datetime) -> bool:
        """Note a click; return False if it was noted before. Raises Unavailable."""


class Actions(Protocol):
    """Hands actions to whoever applies them."""

    def send(self, action: Action) -> None:
        """Hand one over; raises Unavailable where it is not known to have been taken."""
