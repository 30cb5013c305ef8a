"""The handler of telemetry_rules over real adapters on an AWS in memory, and real OTLP backends."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.gpu_alert.handler import handler as gpu_alert
from functions.telemetry_rules.handler import handler as telemetry_rules
from reflexarc.adapters.dynamodb.config_document import TELEMETRY, ConfigDocument
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.adapters.dynamodb.telemetry_accounts import TelemetryAccounts
from reflexarc.events.forward import Forward
from reflexarc.events.rejected import RejectedMessage
from reflexarc.kernel.ids import ulid
from reflexarc.runtime import clients, observability, telemetry_wiring, wiring
from reflexarc.telemetry.accounting import Tally, tallied
from reflexarc.telemetry.packing import unpacked
from samples.standins.server import StandIns
from tests.functions.environment import GPU_ALERT, TELEMETRY_RULES
from tests.functions.test_imports import FORBIDDEN, run
from tests.support.aws import REGION, aws, drain, dynamodb, make_table, queue, secrets_manager, sqs
from tests.support.otlp import NOW, record, span, span_ids, traces
from tests.support.standins import running

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

INCIDENTS, FLEET, ACCOUNTS, BUCKET = "incidents", "fleet", "telemetry", "telemetry"
ENVELOPES = Path(__file__).parents[2] / "events" / "lambda"
INGEST_ROLE, RULES_ROLE = "AROAINGESTROLE00000AB", "AROARULESROLE000000AB"
PAYLOAD = traces(span(1, "GET /health"), span(2, "POST /pay"), resource={"service.name": "shop"})
QUEUES = {
    "REJECTED_QUEUE_URL": "telemetry-dlq",
    "FORWARD_QUEUE_URL": "telemetry-forward",
    "FORWARD_REJECTED_QUEUE_URL": "telemetry-forward-dlq",
    "GPU_FAULTS_QUEUE_URL": "gpu-faults",
    "GPU_READINGS_QUEUE_URL": "gpu-readings",
    "LLM_SPANS_QUEUE_URL": "llm-spans",
    "SERIES_QUEUE_URL": "series",
    "SIGNALS_QUEUE_URL": "signals",
    "NOTIFY_SLACK_QUEUE_URL": "notify-slack.fifo",
    "NOTIFY_PAGERDUTY_QUEUE_URL": "notify-pagerduty.fifo",
    "NOTIFY_OTHERS_QUEUE_URL": "notify-others.fifo",
}
CACHES = (
    telemetry_wiring.telemetry_service,
    telemetry_wiring._settings,
    telemetry_wiring._pace,
    telemetry_wiring._cardinality,
    telemetry_wiring._policies,
    telemetry_wiring._keys,
    wiring.fault_service,
    wiring.believed,
    clients._session,
    clients._client,
    observability.logger,
    observability.metrics,
)


def forget() -> None:
    """Begin a new execution environment."""
    for cached in CACHES:
        cached.cache_clear()


@dataclass
class Cloud:
    """What a test looks at: queues, objects, accounts, backends."""

    sqs: "SQSClient"
    s3: "S3Client"
    standins: StandIns
    urls: dict[str, str] = field(default_factory=dict)
    pushed: int = 0

    def push(self, **document: Any) -> None:
        """Put a telemetry document in force, for new environments."""
        table = ConfigDocument(dynamodb(), INCIDENTS, TELEMETRY)
        table.push(json.dumps(document), self.pushed, NOW)
        self.pushed += 1
        forget()

    def backend(self, name: str = "a", **more: Any) -> dict[str, Any]:
        return {"name": name, "endpoint": f"{self.standins.url}/otlp/{name}", **more}

    def waiting(self, name: str) -> list[dict[str, Any]]:
        return drain(self.sqs, self.urls[name])

    def keys(self, prefix: str = "") -> list[str]:
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", [])]

    def body(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def tally(self, signal: str = "traces") -> Tally:
        rows = TelemetryAccounts(dynamodb(), ACCOUNTS).rows(NOW, datetime.now(UTC))
        (found,) = (each for each in tallied(rows) if each.signal == signal)
        return found

    def spans(self, backend: str = "a") -> dict[str, Any]:
        return self.standins.otlp.backends[backend].told()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with aws(), running() as standins, pytest.MonkeyPatch.context() as patch:
        forget()
        for name, value in {**GPU_ALERT, **TELEMETRY_RULES}.items():
            if not name.startswith("AWS_"):
                patch.setenv(name, value)
        for table in (INCIDENTS, FLEET, ACCOUNTS):
            make_table(dynamodb(), table)
        s3: S3Client = boto3.client("s3", region_name=REGION)
        s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        made = Cloud(sqs(), s3, standins)
        for name, suffix in QUEUES.items():
            made.urls[name] = queue(made.sqs, f"reflexarc-{suffix}")
            patch.setenv(name, made.urls[name])
        secret = secrets_manager().create_secret(Name="reflexarc/telemetry", SecretString="{}")
        patch.setenv("BACKENDS_SECRET_ARN", secret["ARN"])
        patch.setenv("INGEST_ROLE_ID", INGEST_ROLE)
        patch.setenv("TELEMETRY_ROLE_ID", RULES_ROLE)
        yield made
        forget()


def envelope(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ENVELOPES / f"{name}.json").read_text())
    return read


TWO = envelope("telemetry_rules-traces-and-a-kernel-line")


def forwarded() -> dict[str, Any]:
    """Return an event of what was put back, as if its delay were over."""
    sent = [each["Body"] for each in delayed()]
    record_of = TWO["Records"][0]
    return {
        "Records": [
            {**record_of, "messageId": f"f-{number}", "body": body, "messageAttributes": {}}
            for number, body in enumerate(sent)
        ]
    }


def delayed() -> list[dict[str, Any]]:
    """Take what was put back, its delay or not."""
    from moto.sqs.models import sqs_backends  # noqa: PLC0415 - moto's clock cannot be wound

    backend = sqs_backends["123456789012"][REGION]
    held = backend.queues["reflexarc-telemetry-forward"]
    found = [{"Body": message.body} for message in held._messages]
    backend.purge_queue("reflexarc-telemetry-forward")
    return found


def test_without_a_document_everything_is_kept_archived_and_accounted_for(cloud: Cloud) -> None:
    assert telemetry_rules(TWO, None) == {"batchItemFailures": []}

    tally = cloud.tally()
    assert (tally.numbers["received"], tally.numbers["kept"], tally.balanced) == (2, 2, True)
    (key,) = cloud.keys("archive/traces/")
    assert key.startswith("archive/traces/dt=2026-11-24/hour=03/")
    assert span_ids(unpacked(cloud.body(key), "zstd")) == span_ids(PAYLOAD)


def test_what_the_rules_keep_goes_on_and_the_rest_does_not(cloud: Cloud) -> None:
    rule = {
        "name": "health",
        "action": "drop",
        "owner": "sre",
        "reason": "nobody reads them",
        "expires": "2999-01-01",
        "filter": {"traces": {"span": ['name == "GET /health"']}},
    }
    cloud.push(rules=[rule], backends=[cloud.backend()])

    telemetry_rules(TWO, None)

    assert list(cloud.standins.otlp.backends["a"].spans) == [(2).to_bytes(16) + (2).to_bytes(8)]
    tally = cloud.tally()
    assert (tally.numbers["dropped"], tally.numbers["kept"], tally.version) == (1, 1, 1)
    assert tally.rules["health"].numbers["removed"] == 1
    (key,) = cloud.keys("archive/traces/")
    assert span_ids(unpacked(cloud.body(key), "zstd")) == span_ids(PAYLOAD)


def test_the_same_event_again_changes_nothing_and_sends_nothing(cloud: Cloud) -> None:
    cloud.push(backends=[cloud.backend()])
    telemetry_rules(TWO, None)
    before = dynamodb().scan(TableName=ACCOUNTS)["Items"]

    forget()
    telemetry_rules(TWO, None)

    assert cloud.spans()["repeats"] == 0
    assert dynamodb().scan(TableName=ACCOUNTS)["Items"] == before


def test_an_object_of_a_forwarder_is_a_batch_and_what_makes_no_sense_a_dead_letter(
    cloud: Cloud,
) -> None:
    event = envelope("telemetry_rules-object-and-poison")
    told = json.loads(event["Records"][0]["body"])["Records"][0]["s3"]["object"]
    key = told["key"].replace("%3D", "=")
    cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=PAYLOAD)
    cloud.push(backends=[cloud.backend()])

    assert telemetry_rules(event, None) == {"batchItemFailures": []}

    assert cloud.spans()["spans"] == 2
    assert cloud.keys("inbox-direct/") == []
    (letter,) = cloud.waiting("REJECTED_QUEUE_URL")
    kept = RejectedMessage.model_validate_json(letter["Body"])
    assert (kept.queue, kept.sender) == ("reflexarc-telemetry-dlq", "AROASOMEBODY:x")
    assert kept.reason.startswith("the body is not JSON")


def test_a_backend_that_is_down_gets_everything_later_and_the_others_at_once(
    cloud: Cloud,
) -> None:
    cloud.push(backends=[cloud.backend("a"), cloud.backend("b", compression="zstd")])
    cloud.standins.faults.plan(
        [{"vendor": "otlp", "method": "a", "do": "status", "status": 503, "retry_after": 2}]
    )

    telemetry_rules(TWO, None)

    assert cloud.spans("b")["spans"] == 2
    assert "a" not in cloud.standins.otlp.backends
    assert cloud.tally().backends()["a"]["waiting"] == 2
    forget()  # whoever takes it up knows nothing of the backend's trouble
    event = forwarded()
    for each in event["Records"]:
        told = Forward.model_validate_json(each["body"])
        each["body"] = told.model_copy(update={"not_before": None}).model_dump_json(by_alias=True)
    assert telemetry_rules(event, None) == {"batchItemFailures": []}
    assert cloud.spans("a")["spans"] == 2
    assert cloud.tally().backends()["a"] == {
        **cloud.tally().backends()["a"],
        "sent": 2,
        "waiting": 0,
    }


def test_a_backend_that_refuses_for_ever_has_dead_letters_of_its_own(cloud: Cloud) -> None:
    cloud.push(backends=[cloud.backend("a"), cloud.backend("b")])
    cloud.standins.faults.plan(
        [{"vendor": "otlp", "method": "a", "do": "status", "status": 400, "times": 99}]
    )

    telemetry_rules(TWO, None)

    assert cloud.spans("b")["spans"] == 2
    assert delayed() == []
    letters = [
        RejectedMessage.model_validate_json(each["Body"])
        for each in cloud.waiting("FORWARD_REJECTED_QUEUE_URL")
    ]
    assert {letter.reason.partition(" (")[0] for letter in letters} == {
        "backend a: HTTP 400: scripted"
    }
    forward = Forward.model_validate_json(letters[0].original)
    assert forward.pointer is not None
    assert forward.pointer.key in cloud.keys("dead/a/")
    assert span_ids(unpacked(cloud.body(forward.pointer.key), "gzip")) == span_ids(PAYLOAD)


def test_a_key_of_the_secret_opens_a_backend(cloud: Cloud) -> None:
    cloud.standins.otlp.configure("a", key="right")
    cloud.push(backends=[cloud.backend(headers={"x-api-key": {"secret": "a"}})])
    secrets_manager().put_secret_value(
        SecretId="reflexarc/telemetry", SecretString='{"a": "right"}'
    )

    telemetry_rules(TWO, None)

    assert cloud.spans()["spans"] == 2


# --- a kernel line, and whose word it is ---


def agents(event: dict[str, Any]) -> dict[str, Any]:
    """Return the same fault as the node's own agent tells it."""
    body = json.loads(json.dumps(event["Records"][0]["body"]))
    told = json.loads(body)
    told["id"] = ulid(NOW, b"agents-own")
    told["seq"] = 1
    told["source"]["boot_id"] = "boot-a"
    made = copy.deepcopy(event)
    made["Records"] = [{**event["Records"][0], "body": json.dumps(told), "messageAttributes": {}}]
    made["Records"][0]["attributes"] = {
        **event["Records"][0]["attributes"],
        "SenderId": "AROAFLEET:i-0aaa",
    }
    return made


def handed_on(cloud: Cloud) -> dict[str, Any]:
    """Return the event of what telemetry_rules sent to gpu-faults, as SQS would sign it."""
    return {
        "Records": [
            {
                **TWO["Records"][0],
                "messageId": message["MessageId"],
                "body": message["Body"],
                "messageAttributes": {
                    "sender": {
                        "stringValue": message["MessageAttributes"]["sender"]["StringValue"],
                        "dataType": "String",
                    }
                },
                "attributes": {
                    **TWO["Records"][0]["attributes"],
                    "SenderId": f"{RULES_ROLE}:reflexarc-telemetry-rules",
                },
            }
            for message in cloud.waiting("GPU_FAULTS_QUEUE_URL")
        ]
    }


@pytest.mark.parametrize("agent_first", [True, False])
def test_a_line_of_the_kernel_by_way_of_fluent_bit_and_the_agents_own_are_one_incident(
    cloud: Cloud,
    agent_first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    telemetry_rules(TWO, None)
    seen = handed_on(cloud)
    own = agents(seen)

    for event in (own, seen) if agent_first else (seen, own):
        assert gpu_alert(event, None) == {"batchItemFailures": []}

    (incident,) = IncidentList(dynamodb(), INCIDENTS).recent(10)
    assert (incident.cause, incident.entity.node) == ("xid/79", "gpu-node-7")
    assert cloud.waiting("REJECTED_QUEUE_URL") == []
    (bound,) = (
        row
        for row in dynamodb().scan(TableName=INCIDENTS)["Items"]
        if row["pk"]["S"].startswith("NODE#")
    )
    assert bound["sender"]["S"] == "AROAFLEET:i-0aaa"


def test_a_token_that_does_not_name_a_node_tells_nothing_of_it(cloud: Cloud) -> None:
    event = copy.deepcopy(TWO)
    for each in event["Records"]:
        each["messageAttributes"]["sender"]["stringValue"] = "token:web-*"

    telemetry_rules(event, None)

    assert cloud.waiting("GPU_FAULTS_QUEUE_URL") == []
    assert cloud.tally("logs").numbers["received"] == 1


def test_a_forged_word_on_who_sent_is_not_believed(cloud: Cloud) -> None:
    event = copy.deepcopy(TWO)
    for each in event["Records"]:
        each["attributes"]["SenderId"] = "AROASOMEBODY:x"

    telemetry_rules(event, None)

    (message,) = cloud.waiting("GPU_FAULTS_QUEUE_URL")
    assert message["MessageAttributes"]["sender"]["StringValue"] == "AROASOMEBODY:x"


def test_an_unforeseen_error_brings_the_batch_back(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cloud
    monkeypatch.setattr(telemetry_wiring, "_policies", lambda: None)

    answer = telemetry_rules(TWO, None)

    assert len(answer["batchItemFailures"]) == 2


def test_telemetry_rules_loads_neither_incidents_nor_vendors() -> None:
    program = """
import functions.telemetry_rules.handler, sys
from reflexarc.runtime.telemetry_wiring import telemetry_service
telemetry_service()
print("\\n".join(sys.modules))
"""
    loaded = set(run(program, TELEMETRY_RULES).split())
    needed = {
        "reflexarc.adapters.dcgm",
        "reflexarc.adapters.http",
        "reflexarc.adapters.kubelet",
        "reflexarc.adapters.secrets",
        "reflexarc.ingest",
    }

    assert "reflexarc.telemetry.service" in loaded
    assert loaded & (FORBIDDEN - needed) == set()
    # Only for who looks at metrics, and then at one batch in ten.
    assert "datasketches" not in loaded


def test_the_envelopes_hold_what_they_say() -> None:
    assert record("x").body.string_value == "x"
    bodies = [json.loads(each["body"]) for each in TWO["Records"]]
    assert [each["signal"] for each in bodies] == ["traces", "logs"]
