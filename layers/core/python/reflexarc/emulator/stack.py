"""The committed template, deployed to an emulated AWS, with its secrets filled."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reflexarc.emulator.deployment import deploy
from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.processes import wait_until

NAME = "reflexarc"
SLACK_CHANNEL = "C0GPUALERTS"
TEMPLATE = Path("infra", "template.yaml")
# The emulator runs this machine's Python, whatever the template says.
THIS_MACHINE: Mapping[str, str] = {"../build/deps": "../build/deps-local"}
_WARMED = ("GpuFaultsQueueUrl", "NotifySlackQueueUrl", "NotifyPagerdutyQueueUrl")
_WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What was deployed, by the template's output names."""

    endpoint: Endpoint
    outputs: Mapping[str, str]

    def fill(self, slack: Mapping[str, str], pagerduty: Mapping[str, str]) -> None:
        """Write both secrets."""
        client = self.endpoint.client("secretsmanager")
        for name, secret in (("SlackSecretArn", slack), ("PagerDutySecretArn", pagerduty)):
            client.put_secret_value(SecretId=self.outputs[name], SecretString=json.dumps(secret))

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

    def warm(self, timeout_s: float = 30) -> None:
        """Run the watchdog once, as its schedule would, and wait until its canaries arrived."""
        self.endpoint.client("lambda").invoke(FunctionName=self.function("watchdog"), Payload=b"{}")
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
