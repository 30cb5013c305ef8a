"""Calls a vendor with a secret as it is; after a refusal once more, if there is a newer one."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from reflexarc.adapters.secrets.secret import Secret
from reflexarc.kernel.errors import Unavailable

Value = TypeVar("Value")
T = TypeVar("T")


def despite_refusal(
    secret: Secret[Value], refused: type[Unavailable], call: Callable[[Value], T]
) -> T:
    """Return what the call returns; raises `refused`, with what to do, when no value is taken."""
    for value in _values(secret):
        try:
            return call(value)
        except refused as error:
            refusal = error
    raise refused(f"{refusal}: {secret.advice}") from refusal


def _values(secret: Secret[Value]) -> Iterator[Value]:
    yield secret.current()
    if (newer := secret.renewed()) is not None:
        yield newer
