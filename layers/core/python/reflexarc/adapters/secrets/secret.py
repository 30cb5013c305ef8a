"""What a sender needs of a secret: its value now, and a fresh one after it was refused."""

from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Secret(Protocol[T_co]):
    """A secret that may be rotated at any time."""

    @property
    def advice(self) -> str:
        """Return what an operator must type to put the secret right."""

    def current(self) -> T_co:
        """Return the value; raises Unavailable, with what to do, while there is none."""

    def renewed(self) -> T_co | None:
        """Return another value after a refusal; None when there is no newer one to try."""
