"""The committed template, deployed to an emulated AWS, with its secrets filled."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from reflexarc.adapters.dynamodb.config_document import TELEMETRY, ConfigDocument
from reflexarc.emulator.deployment import deploy
from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.processes import wait_until
from reflexarc.events.notice import Canary

NAME = "reflexarc"
FUNCTIONS = (
    "gpu_alert", "gpu_reading", "incident", "ingest", "notify", "slack_action", "telemetry_rules",
    "watchdog",
)  # fmt: skip
SLACK_CHANNEL = "C0GPUALERTS"
TEMPLATE = Path("infra", "template.yaml")
# The emulator runs this machine's Python, whatever the template says.
THIS_MACHINE: Mapping[str, str] = {
    f"../build/{layer}": f"../build/{layer}-local" for layer in ("deps", "otlp")
}
_WARMED = ("GpuFaultsQueueUrl", "NotifySlackQueueUrl", "NotifyPagerdutyQueueUrl")
_WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What was deployed, by the template's output names."""

    endpoint: Endpoint
    outputs: Mapping[str, str]

    def fill(
        self,
        slack: Mapping[str, str],
        pagerduty: Mapping[str, str],
        webhook: Mapping[str, object] | None = None,
    ) -> None:
        """Write the secrets; the webhook's only if it is given."""
        client = self.endpoint.client("secretsmanager")
        filled = {"SlackSecretArn": slack, "PagerDutySecretArn": pagerduty}
        given = {"WebhookSecretArn": webhook} if webhook is not None else {}
        for name, secret in {**filled, **given}.items():
            client.put_secret_value(SecretId=self.outputs[name], SecretString=json.dumps(secret))

    def configure(self, document: Mapping[str, object]) -> None:
        """Put a configuration document in force, within ten seconds everywhere."""
        table = ConfigDocument(self.endpoint.client("dynamodb"), self.outputs["IncidentsTableName"])
        live = table.live()
        table.push(json.dumps(document), live[0] if live else 0, datetime.now(UTC))

    def fill_telemetry(self, keys: Mapping[str, str]) -> None:
        """Write the keys of telemetry's backends."""
        self.endpoint.client("secretsmanager").put_secret_value(
            SecretId=self.outputs["TelemetrySecretArn"], SecretString=json.dumps(keys)
        )

    def put_rules(self, document: Mapping[str, object]) -> int:
        """Put a telemetry document in force, within ten seconds everywhere; return its version."""
        dynamodb, table = self.endpoint.client("dynamodb"), self.outputs["IncidentsTableName"]
        documents = ConfigDocument(dynamodb, table, TELEMETRY)
        seen = documents.live_version()
        return documents.push(json.dumps(document), seen, datetime.now(UTC))

    def at_most(self, environments: int, function: str) -> None:
        """Let so many environments of a function read each of its queues, and no more."""
        client, name = self.endpoint.client("lambda"), self.function(function)
        for mapping in client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
            client.update_event_source_mapping(
                UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": environments}
            )

    def function(self, name: str) -> str:
        """Return the deployed name of a function."""
        return f"{NAME}-{name.replace('_', '-')}"

    def waiting(self, *queues: str) -> int:
        """Return how many messages these queues hold, those in flight included."""
        sqs = self.endpoint.client("sqs")
        return sum(
            int(
                sqs.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=["All"])[
                    "Attributes"
                ][name]
            )
            for queue in queues
            for name in _WAITING
        )

    def send(self, queue: str, message: BaseModel | str) -> None:
        """Put a message into a queue, named by its output."""
        body = message if isinstance(message, str) else message.model_dump_json(by_alias=True)
        self.endpoint.client("sqs").send_message(QueueUrl=self.outputs[queue], MessageBody=body)

    def warm(self, alongside: int = 0, timeout_s: float = 30) -> None:
        """Run the watchdog once, as its schedule would, and wait until its canaries arrived.

        `alongside` more canaries for gpu_alert start as many further environments of it: a batch
        that finds the others busy must then not wait for a cold start.
        """
        ran = self.endpoint.client("lambda").invoke(
            FunctionName=self.function("watchdog"), Payload=b"{}"
        )
        if ran.get("FunctionError"):
            raise LaneUnavailable(f"the watchdog failed: {ran['Payload'].read().decode()}")
        for _ in range(alongside):
            time.sleep(0.02)  # apart, or one batch takes them all
            self.send("GpuFaultsQueueUrl", Canary(sent_at=datetime.now(UTC)))
        if not wait_until(lambda: self.waiting(*_WARMED) == 0, timeout_s, every_s=0.05):
            raise LaneUnavailable("the functions took no canary: look at the emulator's log")


def deploy_stack(
    endpoint: Endpoint,
    checkout: Path,
    parameters: Mapping[str, str],
    swaps: Mapping[str, str],
) -> Stack:
    """Deploy the committed template of a checkout."""
    template = checkout / TEMPLATE
    given = {"Emulator": "yes", "SlackChannel": SLACK_CHANNEL, **parameters}
    return Stack(endpoint=endpoint, outputs=deploy(endpoint, template, NAME, given, swaps))


def find_checkout(start: Path) -> Path:
    """Return the checkout that a folder is in; an installed wheel brings no template."""
    for folder in (start, *start.parents):
        if (folder / TEMPLATE).exists() and (folder / "samples" / "standins").is_dir():
            return folder
    raise LaneUnavailable(
        f"no {TEMPLATE} at or above {start}: the demo runs from a checkout, "
        "`git clone` the project and run `make demo` there"
    )
