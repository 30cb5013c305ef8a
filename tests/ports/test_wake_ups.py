"""WakeUps (incidents, notify): what memory and SQS both promise, and what FIFO demands."""

import json
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError

from reflexarc.adapters.memory.queues import MemoryWakeUps
from reflexarc.adapters.sqs.wake_ups import SqsWakeUps, message_group
from reflexarc.incidents.ports import WakeUps
from reflexarc.kernel.errors import Unavailable
from tests.support.aws import Faults, drain, queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SLACK, PAGER = "slack/C0PAGES", "pagerduty/pagerduty/0123"
WEBHOOK, TOPIC = "webhook/hook/0123", "sns/topic/0123"
_numbers = count(1)


class Waking:
    """Wake-ups under test, with a view of what was sent."""

    def __init__(self, wake_ups: WakeUps, sent: Callable[[], list[str]]) -> None:
        self.wake_ups = wake_ups
        self.sent = sent


@pytest.fixture
def fifo(sqs_client: "SQSClient") -> dict[str, str]:
    number = next(_numbers)
    return {
        vendor: queue(sqs_client, f"wake-{vendor}-{number}.fifo")
        for vendor in ("slack", "pagerduty", "others")
    }


@pytest.fixture(params=["memory", "sqs"])
def waking(request: pytest.FixtureRequest) -> Waking:
    if request.param == "memory":
        memory = MemoryWakeUps()
        return Waking(memory, lambda: sorted(memory.woken))
    client: SQSClient = request.getfixturevalue("sqs_client")
    urls: dict[str, str] = request.getfixturevalue("fifo")

    def sent() -> list[str]:
        messages = [message for url in urls.values() for message in drain(client, url)]
        return sorted(json.loads(message["Body"])["group"] for message in messages)

    return Waking(sqs(client, urls), sent)


def test_each_group_is_woken_once(waking: Waking) -> None:
    waking.wake_ups.wake([SLACK, PAGER])

    assert waking.sent() == [PAGER, SLACK]


def test_no_groups_send_nothing(waking: Waking) -> None:
    waking.wake_ups.wake([])

    assert waking.sent() == []


def test_more_groups_than_a_batch_holds_are_all_woken(waking: Waking) -> None:
    groups = sorted(f"pagerduty/pagerduty/{number:04}" for number in range(23))

    waking.wake_ups.wake(groups)

    assert waking.sent() == groups


def sqs(client: "SQSClient", fifo: dict[str, str]) -> SqsWakeUps:
    own = {"slack": fifo["slack"], "pagerduty": fifo["pagerduty"]}
    return SqsWakeUps(client, own, fifo["others"])  # type: ignore[arg-type]  # keys are vendors


def test_vendor_has_its_own_queue(sqs_client: "SQSClient", fifo: dict[str, str]) -> None:
    sqs(sqs_client, fifo).wake([SLACK, PAGER])

    [message] = drain(sqs_client, fifo["slack"])
    assert json.loads(message["Body"]) == {"schema": "wakeup/1", "group": SLACK}


def test_every_other_kind_of_channel_shares_one_queue(
    sqs_client: "SQSClient", fifo: dict[str, str]
) -> None:
    sqs(sqs_client, fifo).wake([WEBHOOK, TOPIC])

    groups = [json.loads(message["Body"])["group"] for message in drain(sqs_client, fifo["others"])]
    assert sorted(groups) == [TOPIC, WEBHOOK]


def test_message_group_is_the_delivery_group_hashed(
    sqs_client: "SQSClient", fifo: dict[str, str]
) -> None:
    sqs(sqs_client, fifo).wake([SLACK])

    [message] = drain(sqs_client, fifo["slack"])
    assert message["Attributes"]["MessageGroupId"] == message_group(SLACK)
    assert len(message_group("slack/" + "é" * 500)) == 40


def test_same_group_may_be_woken_again_at_once(
    sqs_client: "SQSClient", fifo: dict[str, str]
) -> None:
    for _ in range(2):
        sqs(sqs_client, fifo).wake([SLACK])
    first = drain(sqs_client, fifo["slack"])

    assert len(first) == 2


def test_partial_failure_is_unavailable(sqs_client: "SQSClient", fifo: dict[str, str]) -> None:
    def fail_one(parsed: dict[str, Any], **_: Any) -> None:
        [sent, *_rest] = parsed["Successful"]
        refused = {"Id": sent["Id"], "Code": "InternalError", "SenderFault": False}
        parsed["Failed"] = [refused]

    sqs_client.meta.events.register("after-call.sqs.SendMessageBatch", fail_one)

    with pytest.raises(Unavailable, match="InternalError"):
        sqs(sqs_client, fifo).wake([SLACK])


def test_failing_queue_does_not_keep_the_other_vendor_from_being_woken(
    sqs_client: "SQSClient", fifo: dict[str, str]
) -> None:
    faults = Faults(planned=[EndpointConnectionError(endpoint_url="https://sqs")])
    faults.attach(sqs_client)

    with pytest.raises(Unavailable, match="1 wake-ups or batches not sent"):
        sqs(sqs_client, fifo).wake([PAGER, SLACK])

    assert len(drain(sqs_client, fifo["slack"])) == 1
