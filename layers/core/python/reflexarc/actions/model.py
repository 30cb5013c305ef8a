"""A click as it is posted, and what is answered."""

from dataclasses import dataclass

from reflexarc.events.action import Action
from reflexarc.kernel.errors import Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One HTTP request, as far as it concerns us. Nothing in it is believed yet."""

    method: str
    body: bytes
    timestamp: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered. `reason` is for the log alone: a stranger is told the status."""

    status: int
    reason: str = ""
    done: tuple[Action, ...] = ()


class Refused(Rejected):
    """The request is refused with an HTTP status; nothing of it was handed on."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
