from typing import Any

import pytest
from botocore.exceptions import ClientError

from samples.standins.sns import SIZE_MAX, SnsStandIn


def message(**changes: Any) -> dict[str, Any]:
    attributes = {"event": {"DataType": "String", "StringValue": "opened"}}
    whole = {"TopicArn": "arn", "Message": "m", "Subject": "s", "MessageAttributes": attributes}
    return whole | changes


def attribute(name: str = "event", **changes: str) -> dict[str, dict[str, str]]:
    return {name: {"DataType": "String", "StringValue": "opened"} | changes}


def test_a_message_is_kept() -> None:
    topic = SnsStandIn("arn")

    topic.publish(**message())

    assert topic.messages[0]["message"] == "m"


@pytest.mark.parametrize(
    "bad",
    [
        message(TopicArn="other"),
        message(Subject=""),
        message(Subject=" s"),
        message(Subject="s" * 100),
        message(Subject="a\nb"),
        message(Subject="é"),
        message(Message=""),
        message(Message="é" * (SIZE_MAX // 2)),
        message(MessageAttributes=attribute(StringValue="")),
        message(MessageAttributes=attribute(DataType="Text")),
        message(MessageAttributes=attribute("AWS.event")),
        message(MessageAttributes=attribute("a b")),
        message(
            MessageAttributes={
                str(n): {"DataType": "String", "StringValue": "x"} for n in range(11)
            }
        ),
    ],
)
def test_sns_refuses(bad: dict[str, Any]) -> None:
    topic = SnsStandIn("arn")

    with pytest.raises(ClientError):
        topic.publish(**bad)

    assert topic.messages == []
