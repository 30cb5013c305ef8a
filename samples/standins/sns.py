"""SNS's Publish, as far as it refuses what moto and emulators take.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

SIZE_MAX = 256 * 1024
SUBJECT_MAX = 99
ATTRIBUTES_MAX = 10  # more do not reach a queue that subscribes to raw messages
_NAME = re.compile(r"(?!AWS\.|Amazon\.|\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")


@dataclass(slots=True)
class SnsStandIn:
    """A client of one topic; `messages` holds what was published."""

    topic: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    def publish(
        self,
        *,
        TopicArn: str,  # noqa: N803 - AWS's names
        Message: str,  # noqa: N803
        Subject: str,  # noqa: N803
        MessageAttributes: Mapping[str, Any],  # noqa: N803
    ) -> dict[str, Any]:
        """Take one message, or refuse it as SNS does."""
        if TopicArn != self.topic:
            raise _refusal("NotFound", "Topic does not exist")
        for problem in (
            _subject(Subject),
            _attributes(MessageAttributes),
            _size(Message, MessageAttributes),
        ):
            if problem:
                raise _refusal("InvalidParameter", f"Invalid parameter: {problem}")
        self.messages.append(
            {"message": Message, "subject": Subject, "attributes": MessageAttributes}
        )
        return {"MessageId": str(len(self.messages))}


def _subject(subject: str) -> str:
    printable = subject.isascii() and subject.isprintable()
    if not printable or not 1 <= len(subject) <= SUBJECT_MAX or subject[0] == " ":
        return "Subject"
    return ""


def _attributes(attributes: Mapping[str, Any]) -> str:
    if len(attributes) > ATTRIBUTES_MAX:
        return "too many message attributes"
    for name, attribute in attributes.items():
        if not _NAME.fullmatch(name) or attribute.get("DataType") != "String":
            return f"message attribute {name}"
        if not attribute.get("StringValue"):
            return f"message attribute {name} must contain a value"
    return ""


def _size(message: str, attributes: Mapping[str, Any]) -> str:
    held = [message, *attributes, *(part for each in attributes.values() for part in each.values())]
    size = sum(len(part.encode()) for part in held)
    return "Message too long" if not message or size > SIZE_MAX else ""


def _refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Publish")
