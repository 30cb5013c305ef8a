"""Wiring for people at a terminal: finds a deployed stack and opens its table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.fleet_list import FleetList
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.incident_list import Dossier, IncidentList
from reflexarc.adapters.dynamodb.silences import DynamoSilences
from reflexarc.adapters.dynamodb.tokens import DynamoTokens
from reflexarc.adapters.secrets.stack_secrets import StackSecrets
from reflexarc.adapters.sqs.actions import SqsActions
from reflexarc.events.action import Action
from reflexarc.gpu.config import GpuPolicy
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.runtime.caller import caller_of
from reflexarc.runtime.config import parse

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

__all__ = ["Deployment", "Dossier", "find"]
_INCIDENTS, _FLEET = "IncidentsTableName", "FleetTableName"
_SIGNALS = "SignalsQueueUrl"
_SECRETS = {
    "slack": "SlackSecretArn",
    "pagerduty": "PagerDutySecretArn",
    "webhook": "WebhookSecretArn",
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployed stack, as an operator sees it."""

    incidents: IncidentList
    documents: ConfigDocument
    fleet: FleetList | None = None
    secrets: StackSecrets | None = None
    caller: Callable[[], str] = str
    """Who types: empty where nobody can say."""
    actions: SqsActions | None = None

    def send(self, action: Action) -> None:
        """Hand on what a person wants done with a page."""
        if self.actions is None:
            raise Unavailable("the stack has no output SignalsQueueUrl: update it, then try again")
        self.actions.send(action)

    def gpu_policy(self) -> GpuPolicy:
        """Return the live configuration's part about GPUs, which holds their prices."""
        live = self.documents.live()
        return parse(live[1]).gpu if live else GpuPolicy()

    def push(self, text: str) -> int:
        """Make a JSON document the live configuration; return its version.

        Raises Rejected, with every problem, for a document that the functions would refuse.
        """
        parse(text)
        live = self.documents.live()
        return self.documents.push(text, live[0] if live else 0, self.now())

    def rollback(self, version: int) -> int:
        """Push an earlier version again; return the new version's number."""
        text = self.documents.version(version)
        if text is None:
            raise Rejected(f"there is no version {version} of the configuration")
        return self.push(text)

    def held_by(self, key: str) -> frozenset[str]:
        """Return the open incidents that keep quiet what an inhibition's key names."""
        return DynamoIncidentBook(self.documents.client, self.documents.table).held_by(key)

    @property
    def silences(self) -> DynamoSilences:
        """Return the silences, which are rows of the same table."""
        return DynamoSilences(self.documents.client, self.documents.table)

    @property
    def tokens(self) -> DynamoTokens:
        """Return the bearer tokens, which are rows of the same table."""
        return DynamoTokens(self.documents.client, self.documents.table)

    def now(self) -> datetime:
        """Return the current instant."""
        return system_clock()


def find(stack: str, endpoint: str | None) -> Deployment:
    """Open a stack by its name; raises Unavailable with what to do."""
    try:
        session = boto3.Session()
        cloudformation = session.client("cloudformation", endpoint_url=endpoint)
        outputs = outputs_of(cloudformation, stack)
        dynamodb = session.client("dynamodb", endpoint_url=endpoint)
        secrets = session.client("secretsmanager", endpoint_url=endpoint)
    except (BotoCoreError, ClientError) as error:
        raise Unavailable(advice(stack, error)) from error
    table, fleet = outputs[_INCIDENTS], outputs.get(_FLEET)
    arns = {kind: outputs[name] for kind, name in _SECRETS.items() if name in outputs}
    return Deployment(
        IncidentList(dynamodb, table),
        ConfigDocument(dynamodb, table),
        FleetList(dynamodb, fleet) if fleet else None,
        StackSecrets(secrets, arns),
        lambda: caller_of(session.client("sts", endpoint_url=endpoint)),
        SqsActions(session.client("sqs", endpoint_url=endpoint), outputs[_SIGNALS])
        if _SIGNALS in outputs
        else None,
    )


def outputs_of(cloudformation: "CloudFormationClient", stack: str) -> dict[str, str]:
    """Return a stack's outputs; raises Unavailable for a stack that is not ours."""
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    found = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    if _INCIDENTS not in found:
        raise Unavailable(f"stack {stack} has no output {_INCIDENTS}: is it reflexarc's?")
    return found


def advice(stack: str, error: BotoCoreError | ClientError) -> str:
    """Return why a stack cannot be read, and what to do."""
    if isinstance(error, ClientError) and "does not exist" in error.response["Error"]["Message"]:
        return f"there is no stack named {stack} here: name yours with --stack, or deploy it first"
    return (
        f"stack {stack} cannot be read: {error} (credentials come from the AWS profile or "
        "environment, the region from AWS_DEFAULT_REGION; --endpoint names an emulator)"
    )
