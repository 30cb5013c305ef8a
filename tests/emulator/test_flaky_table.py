"""The table that refuses: as DynamoDB says it, without effect, and with every unit counted."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reflexarc.emulator import ministack
from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.flaky_table import FlakyTable, Troubles
from reflexarc.emulator.processes import Processes, wait_until
from tests.emulator.conftest import ROOT
from tests.support.aws import make_table

pytestmark = pytest.mark.emulator
TABLE = "incidents"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Processes() as processes:
        started = ministack.start(processes, ROOT).endpoint
        make_table(started.client("dynamodb"), TABLE)
        yield started


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"S": "s"}}


class Behind:
    """A client behind a flaky table."""

    def __init__(self, endpoint: Endpoint, troubles: Troubles) -> None:
        self.proxy = FlakyTable(endpoint, troubles, [TABLE])
        self.client = replace(endpoint, url=self.proxy.url).make_client("dynamodb")
        self.direct = endpoint.client("dynamodb")

    def close(self) -> None:
        self.client.close()
        self.proxy.close()

    def put(self, name: str, doc: str = "", **more: Any) -> None:
        self.client.put_item(TableName=TABLE, Item={**key(name), "doc": {"S": doc}, **more})

    def transact(self, *names: str) -> None:
        puts = [{"Put": {"TableName": TABLE, "Item": key(name)}} for name in names]
        self.client.transact_write_items(TransactItems=puts)

    def counted(self, requests: int) -> tuple[float, float]:
        """Return read and write units, once so many requests were counted."""
        assert wait_until(lambda: self.proxy.counts.requests.total() == requests, 5)
        return self.proxy.counts.reads, self.proxy.counts.writes

    def holds(self, name: str) -> bool:
        return "Item" in self.direct.get_item(TableName=TABLE, Key=key(name))


def test_units_follow_from_the_real_requests(endpoint: Endpoint) -> None:
    watch = {"watch_pk": {"S": "w"}, "watch_sk": {"S": "1"}}
    with closing(Behind(endpoint, Troubles())) as table:
        table.put("a", "x" * 1500)
        assert table.counted(1) == (0, 2)
        table.client.update_item(
            TableName=TABLE,
            Key=key("a"),
            UpdateExpression="SET watch_pk = :p, watch_sk = :s",
            ExpressionAttributeValues={":p": watch["watch_pk"], ":s": watch["watch_sk"]},
        )
        assert table.counted(2) == (0, 2 + 2 + 2)
        table.transact("b", "c")
        assert table.counted(3) == (0, 6 + 4)
        table.client.query(
            TableName=TABLE,
            ConsistentRead=True,
            ProjectionExpression="sk",
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": "a"}},
        )
        assert table.counted(4) == (1, 10)


def test_a_cancelled_transaction_has_a_reason_for_each_item_and_no_effect(
    endpoint: Endpoint,
) -> None:
    with closing(Behind(endpoint, Troubles(conflicts=1.0))) as table:
        with pytest.raises(ClientError) as refused:
            table.transact("d", "e", "f")

        answer: dict[str, Any] = dict(refused.value.response)
        codes = sorted(reason["Code"] for reason in answer["CancellationReasons"])
        assert answer["Error"]["Code"] == "TransactionCanceledException"
        assert codes == ["None", "None", "TransactionConflict"]
        assert not any(table.holds(name) for name in "def")


def test_a_single_write_conflicts_with_what_transactions_touch_alone(endpoint: Endpoint) -> None:
    with closing(Behind(endpoint, Troubles(conflicts=1.0))) as table:
        table.put("g")
        with pytest.raises(ClientError, match="TransactionCanceledException"):
            table.transact("h")
        with pytest.raises(ClientError, match="TransactionConflictException"):
            table.put("h")

        assert (table.holds("g"), table.holds("h")) == (True, False)


def test_what_is_throttled_has_no_effect_and_costs_nothing(endpoint: Endpoint) -> None:
    with closing(Behind(endpoint, Troubles(throttles=1.0))) as table:
        with pytest.raises(ClientError, match=r"Throttling|ProvisionedThroughput"):
            table.put("i")

        asked = table.proxy.counts.requests["PutItem"]
        assert asked > 1, "the client tries again"
        assert table.proxy.counts.writes == 0
        assert not table.holds("i")


@pytest.mark.parametrize("sent", [20, None], ids=["in its request", "before the answer"])
def test_a_client_that_dies_is_no_news(
    endpoint: Endpoint, sent: int | None, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(Behind(endpoint, Troubles())) as table:
        port = int(table.proxy.url.rpartition(":")[2])
        for _ in range(20):
            body = b'{"TableName": "incidents", "Key": {"pk": {"S": "a"}, "sk": {"S": "s"}}}'
            head = (
                "POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
                f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(head.encode() + body[:sent])
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        table.put("j")

        assert table.holds("j")
    assert capfd.readouterr().err == ""
