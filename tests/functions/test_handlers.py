"""The handlers over real adapters on an AWS in memory, fed with Lambda's own envelopes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.gpu_alert.handler import handler as gpu_alert
from functions.gpu_reading.handler import handler as gpu_reading
from functions.incident.handler import handler as incident
from functions.notify.handler import handler as notify
from functions.watchdog.handler import handler as watchdog
from reflexarc.adapters.dynamodb.fleet_rows import unpack
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.events.signal import Entity
from reflexarc.gpu.readings import NodeState
from reflexarc.runtime import (
    clients,
    incident_wiring,
    notify_wiring,
    observability,
    watchdog_wiring,
    wiring,
)
from samples.standins.server import ROUTING_KEY, TOKEN
from tests.functions import environment
from tests.support import readings
from tests.support.aws import REGION, aws, drain, dynamodb, make_table, queue, sqs
from tests.support.standins import running

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

TABLE, FLEET = "reflexarc-incidents", "reflexarc-fleet"
ENVELOPES = Path(__file__).parents[2] / "events" / "lambda"
CACHES = (
    wiring.fault_service,
    wiring.reading_service,
    incident_wiring.signal_intake,
    notify_wiring.delivery_service,
    watchdog_wiring.watchdog,
    wiring.believed,
    clients._session,
    clients._client,
    observability.logger,
    observability.metrics,
)
QUEUES = {
    "GPU_FAULTS_QUEUE_URL": "gpu-faults",
    "REJECTED_QUEUE_URL": "dlq",
    "SIGNALS_QUEUE_URL": "signals",
    "NOTIFY_SLACK_QUEUE_URL": "notify-slack.fifo",
    "NOTIFY_PAGERDUTY_QUEUE_URL": "notify-pagerduty.fifo",
    "NOTIFY_OTHERS_QUEUE_URL": "notify-others.fifo",
    "NOTIFY_LATER_QUEUE_URL": "notify-later",
}


@dataclass(frozen=True)
class Cloud:
    """What a test looks at: the queues, the incidents, the environment's patcher."""

    sqs: "SQSClient"
    urls: dict[str, str]
    patch: pytest.MonkeyPatch

    def waiting(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(message["Body"]) for message in drain(self.sqs, self.urls[name])]

    def nodes(self) -> list[NodeState]:
        items = dynamodb().scan(TableName=FLEET)["Items"]
        return [unpack(item) for item in items if item["pk"]["S"].startswith("FLEET#")]

    def incidents(self) -> IncidentList:
        return IncidentList(dynamodb(), TABLE)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with aws(), pytest.MonkeyPatch.context() as patch:
        for cached in CACHES:
            cached.cache_clear()
        settings = {
            **environment.NOTIFY,
            **environment.GPU_READING,
            **environment.GPU_ALERT,
            **environment.WATCHDOG,
        }
        for name, value in settings.items():
            if not name.startswith("AWS_"):
                patch.setenv(name, value)
        make_table(dynamodb(), TABLE)
        make_table(dynamodb(), FLEET)
        client = sqs()
        urls = {name: queue(client, f"reflexarc-{suffix}") for name, suffix in QUEUES.items()}
        for name, url in urls.items():
            patch.setenv(name, url)
        patch.setenv("INCIDENTS_TABLE", TABLE)
        patch.setenv("FLEET_TABLE", FLEET)
        yield Cloud(client, urls, patch)
        for cached in CACHES:
            cached.cache_clear()


def envelope(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ENVELOPES / f"{name}.json").read_text())
    return read


def test_a_fault_opens_one_incident_and_wakes_both_vendors(cloud: Cloud) -> None:
    assert gpu_alert(envelope("gpu_alert-one-fault"), None) == {"batchItemFailures": []}

    (opened,) = cloud.incidents().recent(10)
    assert (opened.severity, opened.cause, opened.entity.node) == (
        "critical",
        "xid/79",
        "gpu-node-7",
    )
    assert [body["group"] for body in cloud.waiting("NOTIFY_SLACK_QUEUE_URL")] == [
        "slack/C0GPUALERTS"
    ]
    assert len(cloud.waiting("NOTIFY_PAGERDUTY_QUEUE_URL")) == 1


def test_the_same_batch_again_changes_nothing_and_wakes_what_is_owed(cloud: Cloud) -> None:
    gpu_alert(envelope("gpu_alert-one-fault"), None)
    (before,) = cloud.incidents().recent(10)
    cloud.waiting("NOTIFY_SLACK_QUEUE_URL")

    gpu_alert(envelope("gpu_alert-one-fault"), None)

    assert cloud.incidents().recent(10) == [before]


def test_the_good_ones_page_and_the_poisoned_one_is_kept_with_its_reason(cloud: Cloud) -> None:
    answer = gpu_alert(envelope("gpu_alert-poisoned-among-good"), None)

    assert answer == {"batchItemFailures": []}
    assert len(cloud.incidents().recent(10)) == 1
    (kept,) = cloud.waiting("REJECTED_QUEUE_URL")
    assert kept["schema"] == "rejected/1"
    assert "cut off" in kept["reason"]


def test_a_batch_of_the_next_version_still_pages_and_says_so(cloud: Cloud) -> None:
    gpu_alert(envelope("gpu_alert-next-version"), None)

    (opened,) = cloud.incidents().recent(10)
    assert opened.cause == "xid/79"
    assert any("version" in mark for mark in opened.marks)


def test_a_signal_opens_an_incident_through_the_same_service(cloud: Cloud) -> None:
    assert incident(envelope("incident-one-signal"), None) == {"batchItemFailures": []}

    assert [found.cause for found in cloud.incidents().recent(10)] == ["xid/79"]


def test_a_minute_of_readings_is_the_last_state_of_its_node(cloud: Cloud) -> None:
    assert gpu_reading(envelope("gpu_reading-one-minute"), None) == {"batchItemFailures": []}

    (node,) = cloud.nodes()
    assert (node.node, node.gpus[0].health, node.gpus[0].margin_c) == ("gpu-node-7", "warning", 3.0)


def test_a_strangers_reading_and_a_broken_one_are_kept_with_their_reasons(cloud: Cloud) -> None:
    answer = gpu_reading(envelope("gpu_reading-stranger-and-poison"), None)

    assert answer == {"batchItemFailures": []}
    assert [node.seq for node in cloud.nodes()] == [42]
    reasons = sorted(kept["reason"] for kept in cloud.waiting("REJECTED_QUEUE_URL"))
    assert reasons[0].startswith("another sender speaks for node gpu-node-7")
    assert reasons[1].startswith("not a message of gpu_readings/1")


def test_a_hot_rack_becomes_an_incident_of_its_own(cloud: Cloud) -> None:
    hot = {0: "thermal/limit", 1: "thermal/limit"}
    nodes = [readings.readings(f"node-{number}", hot=hot) for number in range(3)]

    gpu_reading(readings.envelope(nodes), None)
    signals = cloud.waiting("SIGNALS_QUEUE_URL")
    incident(readings.envelope(signals), None)

    (opened,) = cloud.incidents().recent(10)
    assert (opened.cause, opened.severity) == ("rack/cooling", "critical")
    assert opened.entity == Entity(kind="rack", device="r12", aspect="thermal")


def test_an_outage_of_the_fleet_table_gives_every_reading_back(cloud: Cloud) -> None:
    cloud.patch.setenv("FLEET_TABLE", "no-such-table")

    answer = gpu_reading(envelope("gpu_reading-one-minute"), None)

    assert len(answer["batchItemFailures"]) == 1


def test_a_finding_opens_an_incident_beside_the_fault_of_its_gpu(cloud: Cloud) -> None:
    example = json.loads((ENVELOPES.parent / "examples" / "gpu_faults.json").read_text())

    gpu_alert(readings.envelope([example]), None)

    found = {opened.cause: opened.entity.aspect for opened in cloud.incidents().recent(10)}
    assert found["thermal/near-limit"] == "thermal"
    assert len(found) == 2


def test_an_outage_of_the_table_gives_every_message_back(cloud: Cloud) -> None:
    cloud.patch.setenv("INCIDENTS_TABLE", "no-such-table")

    answer = gpu_alert(envelope("gpu_alert-one-fault"), None)

    assert len(answer["batchItemFailures"]) == 1


def test_an_unset_environment_gives_every_message_back_and_never_raises(cloud: Cloud) -> None:
    cloud.patch.delenv("INCIDENTS_TABLE")

    answer = notify(envelope("notify-one-wakeup"), None)

    assert len(answer["batchItemFailures"]) == 1


def test_a_wake_up_becomes_a_slack_message_with_its_latency(cloud: Cloud) -> None:
    with running() as vendors:
        secrets = boto3.client("secretsmanager", region_name=REGION)
        arns = {
            name: secrets.create_secret(Name=name, SecretString=json.dumps(value))["ARN"]
            for name, value in {
                "slack": {"token": TOKEN},
                "pagerduty": {"routing_key": ROUTING_KEY},
            }.items()
        }
        cloud.patch.setenv("SLACK_SECRET_ARN", arns["slack"])
        cloud.patch.setenv("PAGERDUTY_SECRET_ARN", arns["pagerduty"])
        cloud.patch.setenv("SLACK_API_URL", f"{vendors.url}/api")
        cloud.patch.setenv("PAGERDUTY_URL", vendors.url)
        gpu_alert(envelope("gpu_alert-one-fault"), None)

        answer = notify(envelope("notify-one-wakeup"), None)

        assert answer == {"batchItemFailures": []}
        (message,) = vendors.slack.channels["C0GPUALERTS"]
        assert "Xid 79" in message["text"]
        (opened,) = cloud.incidents().recent(1)
        dossier = cloud.incidents().dossier(opened.fingerprint)
        assert dossier is not None
        assert [attempt.outcome for attempt in dossier.attempts] == ["sent"]
        assert dossier.attempts[0].latency_ms is not None


def test_a_tick_sends_a_canary_to_every_queue_of_the_page_path(cloud: Cloud) -> None:
    assert watchdog(envelope("watchdog-tick"), None) == {"swept": 0}

    for name in ("GPU_FAULTS_QUEUE_URL", "NOTIFY_SLACK_QUEUE_URL", "NOTIFY_PAGERDUTY_QUEUE_URL"):
        assert [body["schema"] for body in cloud.waiting(name)] == ["canary/1"]


def test_every_envelope_has_a_test() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.stem for path in ENVELOPES.glob("*.json") if f'"{path.stem}"' not in text] == []
