"""What S3 refuses, in our terms: no botocore error leaves the adapters of the functions."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from reflexarc.kernel.errors import Rejected, Unavailable

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
_GONE = frozenset({"NoSuchKey"})


@contextmanager
def object_errors(doing: str) -> Iterator[None]:
    """Raise an object that is not there as Rejected, and whatever else botocore raises."""
    try:
        yield
    except ClientError as error:
        said = f"S3 failed while {doing}: {error}"
        gone = error.response.get("Error", {}).get("Code") in _GONE
        raise (Rejected(said) if gone else Unavailable(said)) from error
    except BotoCoreError as error:
        raise Unavailable(f"S3 failed while {doing}: {error}") from error
