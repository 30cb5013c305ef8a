"""What SQS refuses, in our terms: no botocore error leaves the adapters of the functions."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from reflexarc.kernel.errors import Unavailable

# Complaints about the message itself: the same body will be refused again.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
REFUSED = frozenset({"InvalidMessageContents", "InvalidParameterValue", "MessageTooLong"})


@contextmanager
def queue_errors(doing: str) -> Iterator[None]:
    """Raise whatever botocore raises inside as Unavailable."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Unavailable(f"SQS failed while {doing}: {error}") from error
