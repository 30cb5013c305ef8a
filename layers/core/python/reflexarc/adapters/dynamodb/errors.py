"""What DynamoDB refuses, in our terms: no botocore error leaves this package."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from reflexarc.kernel.errors import Unavailable

T = TypeVar("T")
CONDITION = "ConditionalCheckFailed"
CONFLICT = "TransactionConflict"
CONFLICT_TRIES = 5


class ConditionFailed(Unavailable):
    """The row is not as the write demanded; `row` is what it is, where the answer says."""

    def __init__(self, message: str, row: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.row = row


class Cancelled(Unavailable):
    """The transaction stored nothing; `reasons` has one code an item, "None" where it agreed."""

    def __init__(self, message: str, reasons: tuple[str, ...]) -> None:
        super().__init__(message)
        self.reasons = reasons

    @property
    def conflict(self) -> bool:
        """Return whether another write to the same rows was under way, and nothing else wrong."""
        return CONFLICT in self.reasons and set(self.reasons) <= {CONFLICT, "None"}


class Conflicted(Unavailable):
    """A transaction holds the row at this very moment: nothing was written."""


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Raise whatever botocore raises inside as Unavailable or one of its kinds here."""
    try:
        yield
    except ClientError as error:
        raise _translated(error, doing) from error
    except BotoCoreError as error:
        raise Unavailable(f"no answer from DynamoDB while {doing}: {error}") from error


def despite_conflicts(call: Callable[[], T], pause: Callable[[int], None]) -> T:
    """Return the call's answer, calling again a few times while a transaction holds the row.

    botocore repeats throttled calls, but not these. They pass within milliseconds, where giving
    the message back would cost its visibility timeout.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    """
    for attempt in range(CONFLICT_TRIES - 1):
        try:
            return call()
        except Conflicted:
            pause(attempt)
        except Cancelled as error:
            if not error.conflict:
                raise
            pause(attempt)
    return call()


def _translated(error: ClientError, doing: str) -> Unavailable:
    response: Mapping[str, Any] = error.response
    code = response.get("Error", {}).get("Code", "")
    said = f"DynamoDB refused while {doing}: {error}"
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(said, response.get("Item") or {})
    if code == "TransactionCanceledException":
        reasons = response.get("CancellationReasons") or ()
        return Cancelled(said, tuple(reason.get("Code", "None") for reason in reasons))
    if code in {"TransactionConflictException", "TransactionInProgressException"}:
        return Conflicted(said)
    return Unavailable(said)
