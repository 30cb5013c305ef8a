"""One contract for every port of telemetry_rules, in memory and on AWS."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from reflexarc.adapters.dynamodb.telemetry_accounts import TelemetryAccounts
from reflexarc.adapters.dynamodb.telemetry_ledger import DynamoLedger, any_shard
from reflexarc.adapters.dynamodb.telemetry_rows import SHARDS
from reflexarc.adapters.dynamodb.telemetry_sketches import TRIES, DynamoSketches
from reflexarc.adapters.memory.telemetry_rules import (
    MemoryArchive,
    MemoryForwardQueue,
    MemoryLedger,
    MemoryOthers,
    MemoryRefusals,
    MemorySketches,
    MemoryTelemetryObjects,
)
from reflexarc.adapters.s3.telemetry_objects import S3Archive, S3TelemetryObjects
from reflexarc.adapters.sqs.dead_letters import SqsDeadLetters
from reflexarc.adapters.sqs.forward_queue import SqsForwardQueue, SqsRefusals
from reflexarc.adapters.sqs.other_queues import SqsOthers
from reflexarc.events.envelope import Source
from reflexarc.events.forward import Forward
from reflexarc.events.rejected import RejectedMessage
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.kernel.ids import ulid
from reflexarc.telemetry.accounting import Entry, Row, Tally, tallied
from reflexarc.telemetry.arriving import Place
from reflexarc.telemetry.packing import UNPACKED_MAX
from reflexarc.telemetry.ports import (
    Archive,
    ForwardQueue,
    Ledger,
    Others,
    Payloads,
    Refusals,
    Sketches,
)
from tests.ports.conftest import Table, no_pause
from tests.support.aws import REGION, Faults, drain, queue
from tests.support.otlp import NOW

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

HOUR = datetime(2026, 11, 24, 3, tzinfo=UTC)
_numbers = count(1)
both = pytest.mark.parametrize("kind", ["memory", "aws"])


# --- the ledger ---


@dataclass(frozen=True)
class Books:
    """A ledger, and what it came to."""

    ledger: Ledger
    rows: Callable[[], list[Row]]

    def tally(self) -> Tally:
        (found,) = tallied(self.rows())
        return found


@pytest.fixture(params=["memory", "dynamodb"])
def books(request: pytest.FixtureRequest) -> Books:
    since, until = HOUR, HOUR + timedelta(hours=1)
    if request.param == "memory":
        memory = MemoryLedger()
        return Books(memory, lambda: list(memory.rows(since, until)))
    table: Table = request.getfixturevalue("table")
    accounts = TelemetryAccounts(table.client, table.name)
    ledger = DynamoLedger(table.client, table.name, pause=no_pause)
    return Books(ledger, lambda: list(accounts.rows(since, until)))


def entry(name: str = "b-1", **changed: Any) -> Entry:
    return replace(
        Entry(
            id=name,
            hour=HOUR,
            signal="traces",
            version=7,
            rows={
                "T": {"received": 10, "kept": 7, "dropped": 3, "to.sent.a": 7},
                "R.00.0": {"removed.drop.noise": 3},
            },
        ),
        **changed,
    )


def test_numbers_of_many_messages_add_up(books: Books) -> None:
    assert [books.ledger.settle(entry(f"b-{number}"), NOW) for number in range(3)] == [True] * 3

    tally = books.tally()
    assert (tally.numbers["received"], tally.balanced) == (30, True)
    assert tally.rules["noise"].numbers["removed"] == 9
    assert tally.backends() == {"a": {"sent": 21}}


def test_a_message_counts_once(books: Books) -> None:
    assert books.ledger.settle(entry(), NOW)
    assert not books.ledger.settle(entry(rows={"T": {"received": 99}}), NOW)

    assert books.tally().numbers["received"] == 10


def test_what_was_accounted_for_is_known_with_its_parts_that_wait(books: Books) -> None:
    books.ledger.settle(entry("b-1", waits=("p-1", "p-2")), NOW)
    books.ledger.settle(entry("b-2"), NOW)

    known = books.ledger.known(["b-1", "b-2", "b-3", "b-1"])

    assert known == {"b-1": frozenset({"p-1", "p-2"}), "b-2": frozenset()}
    assert books.ledger.known([]) == {}


def test_more_ids_than_a_request_takes_are_asked_for(books: Books) -> None:
    for number in range(0, 250, 50):
        books.ledger.settle(entry(f"b-{number}"), NOW)

    assert len(books.ledger.known([f"b-{number}" for number in range(250)])) == 5


def test_a_row_without_numbers_is_none(books: Books) -> None:
    books.ledger.settle(entry(rows={"T": {}}), NOW)

    assert books.rows() == []
    assert set(books.ledger.known(["b-1"])) == {"b-1"}


def test_what_is_no_longer_waiting_is_taken_off(books: Books) -> None:
    books.ledger.settle(entry(rows={"T": {"to.waiting.a": 5}}), NOW)
    books.ledger.settle(entry("f-1", rows={"T": {"to.waiting.a": -5, "to.sent.a": 5}}), NOW)

    assert books.tally().backends()["a"] == {"waiting": 0, "sent": 5}


def test_what_was_sent_twice_is_counted_as_such(books: Books) -> None:
    books.ledger.settle(entry(), NOW)
    books.ledger.resent(entry())
    books.ledger.resent(entry(rows={"T": {"received": 1}}))

    assert books.tally().backends()["a"] == {"sent": 7, "resent": 7}


def test_a_row_is_kept_as_its_table_says(table: Table) -> None:
    ledger = DynamoLedger(table.client, table.name, choose=lambda: 3)

    ledger.settle(entry(waits=("p-1",)), NOW)

    items = {item["pk"]["S"]: item for item in table.client.scan(TableName=table.name)["Items"]}
    assert set(items) == {"DONE#b-1", "ACC#2026-11-24#3"}
    assert items["DONE#b-1"]["ttl"]["N"] == str(round(NOW.timestamp()) + 30 * 86_400)
    assert items["DONE#b-1"]["waits"] == {"SS": ["p-1"]}
    row = items["ACC#2026-11-24#3"]
    assert row["ttl"]["N"] == str(round(HOUR.timestamp()) + 400 * 86_400)


def test_a_writer_keeps_to_a_shard_and_leaves_one_that_another_holds(table: Table) -> None:
    shards = iter([3, 5])
    ledger = DynamoLedger(table.client, table.name, no_pause, choose=lambda: next(shards))
    ledger.settle(entry("b-1"), NOW)
    conflict = {"Code": "TransactionConflict"}
    table.faults.refuse(
        "TransactionCanceledException", CancellationReasons=[{"Code": "None"}, conflict, conflict]
    )

    assert ledger.settle(entry("b-2"), NOW)

    days = {item["pk"]["S"] for item in table.client.scan(TableName=table.name)["Items"]}
    assert {"ACC#2026-11-24#3", "ACC#2026-11-24#5"} <= days


def test_shards_are_chosen_at_random() -> None:
    assert {any_shard() for _ in range(1_000)} == set(range(SHARDS))


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError"])
def test_a_ledger_that_does_not_answer_is_waited_for(table: Table, code: str) -> None:
    ledger = DynamoLedger(table.client, table.name, no_pause)
    table.faults.refuse(code, times=99)

    for call in (
        lambda: ledger.settle(entry(), NOW),
        lambda: ledger.known(["b-1"]),
        lambda: ledger.resent(entry()),
    ):
        with pytest.raises(Unavailable):
            call()


def test_a_transaction_that_is_cancelled_for_another_reason_is_no_repeat(table: Table) -> None:
    ledger = DynamoLedger(table.client, table.name, no_pause)
    reasons = [{"Code": "None"}, {"Code": "ThrottlingError"}]
    table.faults.refuse("TransactionCanceledException", CancellationReasons=reasons)

    with pytest.raises(Unavailable):
        ledger.settle(entry(), NOW)


def test_hours_outside_a_span_are_not_read(table: Table) -> None:
    ledger = DynamoLedger(table.client, table.name)
    for hours in (-30, -1, 0, 1, 30):
        ledger.settle(entry(f"b-{hours}", hour=HOUR + timedelta(hours=hours)), NOW)

    accounts = TelemetryAccounts(table.client, table.name)
    found = accounts.rows(HOUR - timedelta(hours=1), HOUR + timedelta(minutes=30))

    assert {row.hour for row in found} == {HOUR - timedelta(hours=1), HOUR}


# --- sketches ---


def joined(one: bytes, other: bytes) -> bytes:
    return bytes(sorted(set(one) | set(other)))


@pytest.fixture(params=["memory", "dynamodb"])
def sketches(request: pytest.FixtureRequest) -> tuple[Sketches, Callable[[], dict[str, bytes]]]:
    if request.param == "memory":
        memory = MemorySketches(joined)
        return memory, lambda: memory.kept.get((HOUR, "http.requests"), {})
    table: Table = request.getfixturevalue("table")
    accounts = TelemetryAccounts(table.client, table.name)

    def read() -> dict[str, bytes]:
        found = accounts.sketches(HOUR, HOUR + timedelta(hours=1))
        return {name: bytes(sketch) for metric, name, sketch in found if metric == "http.requests"}

    return DynamoSketches(table.client, table.name, joined, no_pause), read


def test_sketches_of_an_hour_are_joined(
    sketches: tuple[Sketches, Callable[[], dict[str, bytes]]],
) -> None:
    port, read = sketches

    port.merge(HOUR, "http.requests", {"user": b"ab"})
    port.merge(HOUR, "http.requests", {"user": b"bc", "plan": b"p"})
    port.merge(HOUR + timedelta(hours=1), "http.requests", {"user": b"z"})

    assert read() == {"user": b"abc", "plan": b"p"}


@pytest.mark.parametrize(("races", "lost"), [(1, False), (TRIES - 1, False), (TRIES, True)])
def test_a_lost_race_over_sketches_is_run_again(
    table: Table,
    cloud: "DynamoDBClient",
    races: int,
    lost: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    port = DynamoSketches(table.client, table.name, joined, no_pause)
    other = DynamoSketches(cloud, table.name, joined, no_pause)
    # Between each read and its write, somebody else writes.
    table.faults.before += [
        lambda: None,
        lambda: other.merge(HOUR, "http.requests", {"user": b"b"}),
    ] * races

    if lost:
        with pytest.raises(Unavailable, match="changed 5 times"):
            port.merge(HOUR, "http.requests", {"user": b"c"})
        return
    port.merge(HOUR, "http.requests", {"user": b"c"})

    found = TelemetryAccounts(cloud, table.name).sketches(HOUR, HOUR + timedelta(hours=1))
    assert [bytes(sketch) for _, _, sketch in found] == [b"bc"]


def test_more_attributes_than_a_row_holds_are_left_out(table: Table) -> None:
    port = DynamoSketches(table.client, table.name, joined)

    port.merge(HOUR, "m", {f"k{number}": b"x" for number in range(80)})

    found = TelemetryAccounts(table.client, table.name).sketches(HOUR, HOUR + timedelta(hours=1))
    assert len(list(found)) == 64


# --- objects ---


@dataclass(frozen=True)
class Bucket:
    """A fresh bucket on a client whose calls can be made to fail."""

    client: "S3Client"
    name: str
    faults: Faults


@pytest.fixture
def bucket(cloud: "DynamoDBClient") -> Bucket:  # noqa: ARG001 - keeps moto running
    client: S3Client = boto3.client("s3", region_name=REGION)
    name, faults = f"telemetry-ports-{next(_numbers)}", Faults()
    where: Any = {"LocationConstraint": REGION}
    client.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    faults.attach(client)
    return Bucket(client, name, faults)


@pytest.fixture
def objects(kind: str, request: pytest.FixtureRequest) -> Payloads:
    if kind == "memory":
        return MemoryTelemetryObjects()
    bucket: Bucket = request.getfixturevalue("bucket")
    return S3TelemetryObjects(bucket.client, bucket.name)


def place(key: str, body: bytes, **changed: Any) -> Place:
    digest = hashlib.sha256(body).hexdigest()
    return replace(Place(key=key, size=len(body), sha256=digest), **changed)


@both
def test_an_object_is_read_as_it_was_kept(objects: Payloads) -> None:
    pointer = objects.keep("forward/a", b"body")

    assert (pointer.key, pointer.size) == ("forward/a", 4)
    assert pointer.sha256 == hashlib.sha256(b"body").hexdigest()
    assert objects.read(place("forward/a", b"body")) == b"body"
    assert objects.read(place("forward/a", b"body", sha256="")) == b"body"


@both
@pytest.mark.parametrize(
    "wrong",
    [
        place("forward/gone", b"body"),
        place("forward/a", b"bodies"),
        place("forward/a", b"bod"),
        place("forward/a", b"BODY"),
        place("forward/a", b"body", size=UNPACKED_MAX + 1),
    ],
    ids=["gone", "shorter", "longer", "other", "huge"],
)
def test_an_object_that_is_not_the_one_that_was_sent_is_refused(
    objects: Payloads, wrong: Place
) -> None:
    objects.keep("forward/a", b"body")

    with pytest.raises(Rejected):
        objects.read(wrong)


@both
def test_an_object_goes_once_and_again(objects: Payloads) -> None:
    objects.keep("inbox/a", b"body")

    for _ in range(2):
        objects.drop("inbox/a")

    with pytest.raises(Rejected):
        objects.read(place("inbox/a", b"body"))


def test_a_bucket_that_does_not_answer_is_waited_for(bucket: Bucket) -> None:
    objects = S3TelemetryObjects(bucket.client, bucket.name)
    archive = S3Archive(bucket.client, bucket.name)
    bucket.faults.refuse("SlowDown", times=99)

    for call in (
        lambda: objects.read(place("inbox/a", b"")),
        lambda: objects.keep("forward/a", b""),
        lambda: objects.drop("inbox/a"),
        lambda: archive.keep("archive/a", b"", {}),
    ):
        with pytest.raises(Unavailable):
            call()


@both
def test_a_batch_that_is_archived_again_takes_its_own_place(
    kind: str, request: pytest.FixtureRequest
) -> None:
    archive: Archive = MemoryArchive()
    if kind == "aws":
        bucket: Bucket = request.getfixturevalue("bucket")
        archive = S3Archive(bucket.client, bucket.name)

    for _ in range(2):
        archive.keep("archive/traces/x", b"body", {"items": "3"})

    if isinstance(archive, MemoryArchive):
        assert archive.kept == {"archive/traces/x": (b"body", {"items": "3"})}
        return
    (found,) = bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"]
    head = bucket.client.head_object(Bucket=bucket.name, Key=found["Key"])
    assert (head["ContentLength"], head["Metadata"]) == (4, {"items": "3"})


# --- queues ---


def forward(**changed: Any) -> Forward:
    given = {
        "id": ulid(NOW, b"0123456789"),
        "sent_at": NOW,
        "source": Source(node="gateway-1"),
        "signal": "traces",
        "backend": "honeycomb",
        "items": 3,
        "size": 4,
        "first_at": NOW,
        "payload": "Ym9keQ==",
        **changed,
    }
    return Forward.model_validate(given)


@both
def test_what_is_put_back_comes_after_its_delay(kind: str, request: pytest.FixtureRequest) -> None:
    delay = timedelta(seconds=90)
    if kind == "memory":
        memory = MemoryForwardQueue()
        port: ForwardQueue = memory
        port.put(forward(), delay)
        assert memory.put_back == [(forward(), delay)]
        return
    client: SQSClient = request.getfixturevalue("sqs_client")
    url = queue(client, f"telemetry-forward-{next(_numbers)}")
    sent: list[dict[str, Any]] = []
    client.meta.events.register(
        "before-parameter-build.sqs.SendMessage", lambda params, **_: sent.append(dict(params))
    )

    SqsForwardQueue(client, url).put(forward(), delay)

    assert (sent[0]["DelaySeconds"], drain(client, url)) == (90, [])
    assert Forward.model_validate_json(sent[0]["MessageBody"]) == forward()


@both
def test_what_a_backend_refused_is_kept_with_its_name_and_words(
    kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "memory":
        memory = MemoryRefusals()
        port: Refusals = memory
        port.keep(forward(), "HTTP 400")
        assert memory.kept == [(forward(), "HTTP 400")]
        return
    client: SQSClient = request.getfixturevalue("sqs_client")
    url = queue(client, f"telemetry-forward-dlq-{next(_numbers)}")

    SqsRefusals(SqsDeadLetters(client, url, lambda: NOW)).keep(forward(), "HTTP 400: no")

    (message,) = drain(client, url)
    kept = RejectedMessage.model_validate_json(message["Body"])
    assert kept.reason == "backend honeycomb: HTTP 400: no (3 traces)"
    assert Forward.model_validate_json(kept.original) == forward()
    assert kept.truncated is False


@both
def test_messages_for_others_say_who_the_telemetry_is_of(
    kind: str, request: pytest.FixtureRequest
) -> None:
    bodies = [json.dumps({"n": number, "pad": "x" * 200_000}) for number in range(13)]
    if kind == "memory":
        memory = MemoryOthers()
        port: Others = memory
        port.send("gpu-faults", bodies, "token:node-*")
        assert memory.sent == {"gpu-faults": [(body, "token:node-*") for body in bodies]}
        return
    client: SQSClient = request.getfixturevalue("sqs_client")
    url = queue(client, f"gpu-faults-{next(_numbers)}")

    SqsOthers(client, {"gpu-faults": url}).send("gpu-faults", bodies, "token:node-*")

    found = drain(client, url)
    assert sorted(json.loads(each["Body"])["n"] for each in found) == list(range(13))
    senders = {each["MessageAttributes"]["sender"]["StringValue"] for each in found}
    assert senders == {"token:node-*"}


def test_messages_that_a_queue_does_not_take_are_sent_again(
    sqs_client: "SQSClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    url = queue(sqs_client, f"series-{next(_numbers)}")
    failed = {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]}
    monkeypatch.setattr(sqs_client, "send_message_batch", lambda **_: failed)

    with pytest.raises(Unavailable, match="series did not take 1 messages: InternalError"):
        SqsOthers(sqs_client, {"series": url}).send("series", ["{}"], "")


def test_nothing_to_hand_on_is_no_request(sqs_client: "SQSClient") -> None:
    SqsOthers(sqs_client, {}).send("series", [], "nobody")
