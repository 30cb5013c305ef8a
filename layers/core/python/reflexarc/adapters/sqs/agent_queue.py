"""Fills Queue (agent) with one SQS queue; each error says what an operator can do about it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from reflexarc.adapters.http.date_header import skew_s
from reflexarc.adapters.sqs.errors import REFUSED
from reflexarc.adapters.sqs.lean_session import lean_session
from reflexarc.kernel.errors import ReflexError, Rejected, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The spool is the retry. A connection that hangs must give way to a fresh one within seconds.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
)
_REGION = re.compile(
    r"//(?:[^/]*\.)?(?:sqs|queue)\.([a-z]{2}(?:-[a-z]+)+-\d)\.|//([a-z0-9-]+)\.queue\."
)

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"}
_DENIED = {"AccessDenied", "AccessDeniedException"}
_THROTTLED = {
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "SlowDown",
}
_SKEWED = {
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "InvalidSignatureException",
}
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
}
_TOO_LONG_TOGETHER = {"AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong"}

_GUIDE = "docs/guides/agent.md#node-identity"


def connect(queue_url: str, *, region: str | None, endpoint_url: str | None) -> "SQSClient":
    """Return a client for the queue's region; raises Rejected when no region can be found."""
    found = _REGION.search(queue_url)
    try:
        client = lean_session().create_client(
            "sqs",
            region_name=region or (found and (found[1] or found[2])) or None,
            endpoint_url=endpoint_url,
            config=_CONFIG,
        )
    except NoRegionError as error:
        raise Rejected(
            f"no AWS region: {queue_url} does not name one; set --region or AWS_DEFAULT_REGION"
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise Rejected(f"no client for {queue_url}: {error}") from error
    return cast("SQSClient", client)


@dataclass(frozen=True, slots=True)
class AgentQueue:
    """Sends to one queue. A message that was perhaps accepted is reported as not accepted."""

    client: "SQSClient"
    url: str

    def send(self, entries: Sequence[tuple[str, str]]) -> Mapping[str, ReflexError]:
        """Send one message, or several in one request."""
        if len(entries) == 1:
            return self._send_one(*entries[0])
        try:
            answer = self.client.send_message_batch(
                QueueUrl=self.url,
                Entries=[{"Id": message_id, "MessageBody": body} for message_id, body in entries],
            )
        except ClientError as error:
            if _code(error) not in _TOO_LONG_TOGETHER:
                raise _advised(error, self.url) from error
            return {
                each: why
                for message_id, body in entries
                for each, why in self._send_one(message_id, body).items()
            }
        except BotoCoreError as error:
            raise _advised(error, self.url) from error
        return {
            failed["Id"]: _refusal(failed["Code"], failed.get("Message", ""))
            for failed in answer.get("Failed", [])
        }

    def _send_one(self, message_id: str, body: str) -> Mapping[str, ReflexError]:
        try:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)
        except ClientError as error:
            if _code(error) in REFUSED:
                return {message_id: _refusal(_code(error), str(error))}
            raise _advised(error, self.url) from error
        except BotoCoreError as error:
            raise _advised(error, self.url) from error
        return {}


def _refusal(code: str, message: str) -> ReflexError:
    if code in REFUSED:
        return Rejected(f"the queue refuses this message ({code}): {message}")
    return Unavailable(f"the queue did not take this message ({code}): {message}")


def _code(error: ClientError) -> str:
    return error.response["Error"].get("Code", "")


def _advised(error: ClientError | BotoCoreError, url: str) -> Unavailable:
    if isinstance(error, ClientError):
        return Unavailable(_advice_on_answer(error, url))
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return Unavailable(
            "no AWS credentials: give this node an instance profile, IRSA or Pod Identity, or"
            f" Roles Anywhere ({_GUIDE}): {error}"
        )
    if isinstance(error, HTTPClientError | NoConnectionError):
        return Unavailable(
            f"no answer from SQS: check the route, the proxy or the VPC endpoint"
            f" com.amazonaws.<region>.sqs: {error}"
        )
    return Unavailable(f"cannot call SQS: {error}")


def _advice_on_answer(error: ClientError, url: str) -> str:
    code = _code(error)
    if not error.operation_name.startswith("SendMessage"):
        return (
            f"no AWS credentials: {error.operation_name} answered {code}; check the role's trust"
            f" policy ({_GUIDE}): {error}"
        )
    advice = {
        **dict.fromkeys(
            _NO_QUEUE,
            f"the queue {url} does not exist: compare the URL and its region with the stack's"
            " outputs",
        ),
        **dict.fromkeys(
            _DENIED,
            f"not allowed to send to {url}: grant sqs:SendMessage to this node's role, and in the"
            f" queue's policy if it is another account's ({_GUIDE})",
        ),
        **dict.fromkeys(_THROTTLED, "SQS throttles: nothing to do, sending slows down"),
        **dict.fromkeys(
            _SKEWED,
            f"SQS refuses the signature{_skew(error)}: set this node's clock (chronyc makestep),"
            " then check the secret key",
        ),
        **dict.fromkeys(
            _BAD_CREDENTIALS,
            f"SQS refuses the credentials: they expired or were revoked; renew them ({_GUIDE})",
        ),
    }.get(code, "SQS answered with an error")
    return f"{advice}: {error}"


def _skew(error: ClientError) -> str:
    """Return how far this node's clock is from the one that answered, if the answer says."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    skew = skew_s(headers.get("date"))
    return "" if skew is None else f" (this node's clock is {skew:+.0f} s off)"
