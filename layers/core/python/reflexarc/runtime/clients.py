"""AWS clients, made once an execution environment.

Made from botocore, not boto3: the clients are the same objects, and a cold start is spared the
import of boto3's resource layer (a sixth of the import time; `make bench ONLY=import`).
"""

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

    from reflexarc.adapters.sns.sender import Publisher

# A hung connection must fail well inside the shortest function timeout (10 s), and the queue is
# the real retry: two quick attempts, then the message comes back.
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
)


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@cache
def _client(service: str, attempts: int = 2) -> Any:
    retries = Config(retries={"mode": "standard", "total_max_attempts": attempts})
    return _session().create_client(service, config=_CONFIG.merge(retries))


def dynamodb() -> "DynamoDBClient":
    """Return the DynamoDB client.

    A throttled call is answered at once, and half a second later it is through: giving the message
    back instead would cost its visibility timeout.
    """
    return cast("DynamoDBClient", _client("dynamodb", attempts=4))


def sqs() -> "SQSClient":
    """Return the SQS client."""
    return cast("SQSClient", _client("sqs"))


def sns() -> "Publisher":
    """Return the SNS client. One attempt: a page's retry is its delivery group's next look."""
    return cast("Publisher", _client("sns", attempts=1))


def s3() -> "S3Client":
    """Return the S3 client. A call to another bucket than our own is a mistake of ours."""
    return cast("S3Client", _client("s3", attempts=3))


def secrets_manager() -> "SecretsManagerClient":
    """Return the Secrets Manager client."""
    return cast("SecretsManagerClient", _client("secretsmanager"))
