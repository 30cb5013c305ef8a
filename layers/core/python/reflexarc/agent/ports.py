"""What the agent needs from the outside world."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from reflexarc.agent.lines import Chunk
from reflexarc.kernel.errors import ReflexError


class LineSource(Protocol):
    """A log that is read line by line, in a thread of its own."""

    @property
    def name(self) -> str:
        """Return the name under which the position in this source is kept."""

    def read(self, timeout: float) -> Chunk | None:
        """Return what came within the timeout, None if nothing did; a last chunk has `ended`.

        Raises OSError when the source cannot be read now; the next call tries again.
        """

    def close(self) -> None:
        """Give files and devices back."""


class Queue(Protocol):
    """Takes messages over for delivery."""

    def send(self, entries: Sequence[tuple[str, str]]) -> Mapping[str, ReflexError]:
        """Hand over (id, body) pairs; return why some were not accepted, by id.

        Rejected: the queue will never take this message. Unavailable: try it again. Raises
        Unavailable, with advice, when it is not known that any was accepted.
        """
