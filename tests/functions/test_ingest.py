"""The handler of ingest over real adapters on an AWS in memory, fed with events of its URL."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.ingest.handler import handler as ingest
from reflexarc.adapters.dynamodb.tokens import DynamoTokens
from reflexarc.events.gpu_faults import GpuFaults
from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime import clients, ingest_otlp, ingest_wiring, observability
from tests.functions.environment import INGEST
from tests.functions.test_imports import FORBIDDEN, run
from tests.support.aws import aws, drain, dynamodb, make_table, queue, sqs
from tests.unit.ingest.fakes import body, made, message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

TABLE = "reflexarc-incidents"
ENVELOPES = Path(__file__).parents[2] / "events" / "lambda"
CACHES = (
    ingest_wiring.settings,
    ingest_wiring.gate,
    ingest_wiring.ingest_service,
    ingest_otlp.otlp_service,
    clients._session,
    clients._client,
    observability.logger,
    observability.metrics,
)


@dataclass(frozen=True)
class Cloud:
    sqs: "SQSClient"
    urls: dict[str, str]
    patch: pytest.MonkeyPatch

    def waiting(self, lane: str) -> list[dict[str, Any]]:
        return drain(self.sqs, self.urls[lane])

    def asks_for_tokens(self) -> None:
        self.patch.setenv("INGEST_AUTH", "TOKEN")

    def token(self, source: str = "node-7", **more: Any) -> str:
        token, text = made(source, now=system_clock(), **more)
        DynamoTokens(dynamodb(), TABLE).add(token)
        return text


def forget() -> None:
    for cached in CACHES:
        cached.cache_clear()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with aws(), pytest.MonkeyPatch.context() as patch:
        forget()
        for name, value in INGEST.items():
            if not name.startswith("AWS_"):
                patch.setenv(name, value)
        make_table(dynamodb(), TABLE)
        client = sqs()
        urls = {lane: queue(client, f"reflexarc-gpu-{lane}") for lane in ("faults", "readings")}
        patch.setenv("GPU_FAULTS_QUEUE_URL", urls["faults"])
        patch.setenv("GPU_READINGS_QUEUE_URL", urls["readings"])
        patch.setenv("INCIDENTS_TABLE", TABLE)
        yield Cloud(client, urls, patch)
        forget()


def envelope(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ENVELOPES / f"{name}.json").read_text())
    return read


def event(raw: bytes, *, signed: bool = True, **headers: str) -> dict[str, Any]:
    """Return a function URL's event of a binary body."""
    made = envelope("ingest-two-messages")
    made["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
    made["body"], made["isBase64Encoded"] = base64.b64encode(raw).decode(), True
    if not signed:
        del made["requestContext"]["authorizer"]
    return made


def answered(given: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, str]]:
    answer = ingest(given, None)
    return answer["statusCode"], json.loads(answer["body"]), answer["headers"]


def test_both_messages_arrive_on_their_queues_with_who_sent_them(cloud: Cloud) -> None:
    status, said, _ = answered(envelope("ingest-two-messages"))

    assert status == 200
    assert [each["status"] for each in said["results"]] == ["accepted", "accepted"]
    (fault,), (reading,) = cloud.waiting("faults"), cloud.waiting("readings")
    assert fault["MessageAttributes"]["sender"]["StringValue"] == (
        "iam:AROAFLEETEXAMPLE00001:i-0123456789abcdef0"
    )
    assert GpuFaults.model_validate_json(fault["Body"]).faults
    assert GpuReadings.model_validate_json(reading["Body"]).seq == 4
    assert fault["Body"] in envelope("ingest-two-messages")["body"]


def test_a_packed_body_arrives_byte_for_byte(cloud: Cloud) -> None:
    odd = message(1, text="\u00fc").replace(": ", " :\t")

    status, _, _ = answered(event(gzip.compress(body(odd)), content_encoding="gzip"))

    assert status == 200
    assert [each["Body"] for each in cloud.waiting("faults")] == [odd]


def test_a_token_lets_its_node_in(cloud: Cloud) -> None:
    cloud.asks_for_tokens()

    given = event(body(message()), signed=False, authorization=f"Bearer {cloud.token()}")

    assert answered(given)[0] == 200
    (fault,) = cloud.waiting("faults")
    assert fault["MessageAttributes"]["sender"]["StringValue"] == "token:node-7"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (event(body(message()), signed=False), 401),
        (event(body(message()), signed=False, authorization="Bearer x"), 401),
        (event(body(message()), signed=False, x_amz_user_id="AROAFLEET:i-1"), 401),
        (event(b"{", content_encoding="gzip"), 400),
        (event(gzip.compress(bytes(60_000_000)), content_encoding="gzip"), 413),
        (event(b"[" * 200_000), 400),
        (event(body(*["{}"] * 10_000)), 413),
        (event(b""), 400),
        (event(body(message()), content_encoding="br"), 415),
        (event(body(message())) | {"rawPath": "/v1/other"}, 404),
        (event(body(message())) | {"body": "no base64!"}, 400),
        (event(body(message())) | {"body": None, "isBase64Encoded": False}, 400),
        (event(body(message())) | {"headers": None, "body": "{", "isBase64Encoded": False}, 400),
        ({}, 500),
    ],
)
def test_what_is_hostile_or_broken_is_answered_and_hands_nothing_on(
    cloud: Cloud, given: dict[str, Any], status: int
) -> None:
    found, said, _ = answered(given)

    assert found == status
    assert said["error"]
    assert cloud.waiting("faults") == cloud.waiting("readings") == []


def test_nobody_signs_with_a_header(cloud: Cloud) -> None:
    cloud.asks_for_tokens()
    given = event(body(message()))

    assert answered(given)[0] == 401
    assert answered(given)[2]["www-authenticate"] == "Bearer"


def test_another_method_is_told_which_one(cloud: Cloud) -> None:
    given = event(body(message()))
    given["requestContext"]["http"]["method"] = "PUT"

    status, _, headers = answered(given)

    assert (status, headers["allow"]) == (405, "POST")
    assert cloud.waiting("faults") == []


def test_a_spent_rate_is_told_in_whole_seconds(cloud: Cloud) -> None:
    cloud.asks_for_tokens()
    given = event(body(message()), authorization=f"Bearer {cloud.token(per_minute=1)}")
    assert answered(given)[0] == 200

    status, _, headers = answered(given)

    assert status == 429
    assert 55 <= int(headers["retry-after"]) <= 60


def test_a_missing_queue_is_no_success(cloud: Cloud) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.urls["faults"])

    status, said, _ = answered(event(body(message(1), message(2, schema="gpu_readings/1"))))

    assert status == 200
    assert [each["status"] for each in said["results"]] == ["retry", "accepted"]
    assert answered(event(body(message())))[0] == 503


def test_tokens_out_of_reach_are_no_refusal(cloud: Cloud) -> None:
    cloud.asks_for_tokens()
    cloud.patch.setenv("INCIDENTS_TABLE", "no-such-table")

    status, _, headers = answered(event(body(message()), authorization=f"Bearer {made()[1]}"))

    assert status == 503
    assert headers["retry-after"] == "5"


def test_an_environment_that_is_incomplete_is_answered_too(cloud: Cloud) -> None:
    cloud.patch.delenv("INGEST_AUTH")

    assert answered(event(body(message())))[0] == 500


def test_a_message_that_came_twice_is_handed_on_twice_under_one_id(cloud: Cloud) -> None:
    given = event(body(message(1)))

    answered(given)
    answered(given)

    first, second = cloud.waiting("faults")
    assert first["Body"] == second["Body"]


def test_a_token_is_never_logged_and_never_answered(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    # A logger of its own: one that is there already writes to another test's output.
    cloud.patch.setenv("POWERTOOLS_SERVICE_NAME", "ingest-that-is-listened-to")
    cloud.asks_for_tokens()
    good, unknown = cloud.token(), made(number=2)[1]
    expired = made(number=3)[1]
    said = ""
    for header in (
        f"Bearer {good}",
        f"Bearer {unknown}",
        f"Bearer {expired}",
        f"Bearer {good[:-1]}0",
        f"Basic {good}",
        f"Bearer {good},Bearer {unknown}",
    ):
        for raw in (body(message()), body(message(node="node-8")), b"{"):
            given = event(raw, authorization=header)
            said += json.dumps(ingest(given, None))
    said += json.dumps(ingest({"headers": {"authorization": f"Bearer {good}"}}, None))

    logged = "".join(capsys.readouterr())

    secret = good.rpartition("_")[2]
    assert "request refused" in logged
    assert "request failed" in logged
    assert secret[:16] not in logged + said


# What reads OTLP. A node's fault waits for none of it.
OTLP = {
    "google.protobuf",
    "opentelemetry",
    "reflexarc.adapters.s3",
    "reflexarc.engines",
    "reflexarc.events.otlp_batch",
    "reflexarc.runtime.ingest_otlp",
    "zstandard",
}


def test_an_agents_request_loads_neither_the_incidents_nor_what_only_others_need() -> None:
    program = """
import sys
from functions.ingest.handler import handler
handler({"rawPath": "/v1/gpu", "requestContext": {"http": {"method": "GET"}}}, None)
print("\\n".join(sys.modules))
"""
    loaded = set(run(program, INGEST).split("\n"))

    unwanted = (
        (FORBIDDEN - {"reflexarc.ingest"})
        | OTLP
        | {
            "reflexarc.gpu",
            "reflexarc.incidents",
            "reflexarc.adapters.dynamodb.tokens",
        }
    )
    assert "reflexarc.ingest.service" in loaded
    assert loaded & unwanted == set()
