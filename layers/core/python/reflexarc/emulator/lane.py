"""The lane put together: emulator, stand-ins, deployed stack, and who the agents are."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from reflexarc.adapters.dynamodb.fleet_list import FleetList
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.emulator import agents, iam_gaps, ministack, stack, standins
from reflexarc.emulator.agents import Node
from reflexarc.emulator.audit import Expected
from reflexarc.emulator.endpoint import Endpoint, LocalStackEndpoint
from reflexarc.emulator.function_url import FunctionUrl
from reflexarc.emulator.ministack import Ministack
from reflexarc.emulator.processes import Processes
from reflexarc.emulator.stack import Stack
from reflexarc.emulator.standins import StandIns
from reflexarc.events.signal import Hops
from reflexarc.gpu.readings import NodeState
from reflexarc.incidents.model import Policy
from reflexarc.runtime.config import parse

Step = Callable[[str], AbstractContextManager[None]]


def silently(_: str) -> AbstractContextManager[None]:
    """Show nothing of a step."""
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to put together: our own emulator, or one that runs at `endpoint` already."""

    checkout: Path
    endpoint: str | None = None
    auth: bool = False
    callback_host: str | None = field(default=None)
    """How functions in another machine's or container's network reach this one."""
    standin_options: tuple[str, ...] = ()
    document: Mapping[str, object] = field(default_factory=dict)
    """The configuration to push before anything runs; nothing is pushed where it is empty."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """Everything that runs, ready for kernel lines."""

    processes: Processes
    endpoint: Endpoint
    emulator: Ministack | None
    standins: StandIns
    stack: Stack
    agent_endpoint: Endpoint
    ingest: FunctionUrl
    clicks: FunctionUrl
    otlp_url: str
    """Where functions find backends of telemetry, without their names."""
    policy: Policy
    """What the stack decides by, as it was configured at its start."""

    def node(
        self,
        name: str,
        *,
        queue_url: str | None = None,
        endpoint: Endpoint | None = None,
        options: Sequence[str] = (),
    ) -> Node:
        """Start the real agent of a new node."""
        return agents.start(
            self.processes,
            self.stack,
            name,
            self.processes.folder(f"node-{name}"),
            endpoint=endpoint or self.agent_endpoint,
            queue_url=queue_url,
            options=options,
        )

    def https_node(self, name: str, *options: str) -> Node:
        """Start the real agent of a new node that sends by HTTPS."""
        return agents.start(
            self.processes,
            self.stack,
            name,
            self.processes.folder(f"node-{name}"),
            endpoint=self.agent_endpoint,
            sink=("--https-url", self.stack.outputs["IngestUrl"], *options),
        )

    def fleet(self, node: str) -> NodeState | None:
        """Return what the fleet's table knows of a node."""
        listed = FleetList(self.endpoint.client("dynamodb"), self.stack.outputs["FleetTableName"])
        known = listed.nodes(datetime.now(UTC).date(), node).nodes
        return known[0].state if known else None

    def hops(self, page: Expected) -> Hops | None:
        """Return when each part touched a page that was sent, once that is recorded."""
        table = self.stack.outputs["IncidentsTableName"]
        dossier = IncidentList(self.endpoint.client("dynamodb"), table).dossier(page.fingerprint)
        if dossier is None:
            return None
        hops = [
            attempt.hops
            for attempt in dossier.attempts
            if attempt.channel == page.channel and attempt.hops is not None
        ]
        return hops[0] if hops else None


def build(processes: Processes, plan: Plan, step: Step = silently) -> Lane:
    """Start and deploy everything; the processes end with their context."""
    endpoint, emulator = _emulator(processes, plan, step)
    with step("starting stand-ins for Slack and PagerDuty"):
        vendors = standins.start(processes, plan.checkout, _standin_options(plan))
    with step("deploying infra/template.yaml"):
        deployed = stack.deploy_stack(
            endpoint,
            plan.checkout,
            {
                "SlackApiUrl": _seen_from_functions(vendors.slack_api_url, plan),
                "PagerDutyUrl": _seen_from_functions(vendors.pagerduty_url, plan),
            },
            stack.THIS_MACHINE if ministack.answers(endpoint.url) else {},
        )
        deployed.fill(vendors.slack_secret, vendors.pagerduty_secret, vendors.webhook_secret)
        if plan.document:
            deployed.configure(plan.document)
        agent_endpoint = _agent_identity(endpoint, deployed) if plan.auth else endpoint
        ingest = FunctionUrl(endpoint, deployed.function("ingest"), (endpoint, agent_endpoint))
        clicks = FunctionUrl(endpoint, deployed.function("slack_action"), auth="NONE")
        served = {"IngestUrl": ingest.url, "SlackActionUrl": clicks.url}
        deployed = replace(deployed, outputs={**deployed.outputs, **served})
    return Lane(
        processes=processes,
        endpoint=endpoint,
        emulator=emulator,
        standins=vendors,
        stack=deployed,
        agent_endpoint=agent_endpoint,
        ingest=ingest,
        clicks=clicks,
        otlp_url=_seen_from_functions(vendors.otlp_url, plan),
        policy=parse(json.dumps(plan.document)).policy(stack.SLACK_CHANNEL),
    )


def _emulator(processes: Processes, plan: Plan, step: Step) -> tuple[Endpoint, Ministack | None]:
    if plan.endpoint:
        return LocalStackEndpoint(url=plan.endpoint.rstrip("/")), None
    with step("starting the AWS emulator"):
        emulator = ministack.start(processes, plan.checkout, auth=plan.auth)
    return emulator.endpoint, emulator


def _standin_options(plan: Plan) -> tuple[str, ...]:
    everywhere = ("--host", "0.0.0.0") if plan.callback_host else ()  # noqa: S104 - asked for
    return (*plan.standin_options, *everywhere)


def _seen_from_functions(url: str, plan: Plan) -> str:
    return url.replace("127.0.0.1", plan.callback_host) if plan.callback_host else url


def _agent_identity(endpoint: Endpoint, deployed: Stack) -> Endpoint:
    """Return the endpoint as an agent's own user, who may do what the agent policy allows."""
    iam = endpoint.client("iam")
    iam.create_user(UserName="gpu-node")
    iam.attach_user_policy(UserName="gpu-node", PolicyArn=deployed.outputs["AgentPolicyArn"])
    iam_gaps.fill_user(endpoint, "gpu-node", deployed.outputs["AgentPolicyArn"])
    iam_gaps.fill_roles(deployed)
    made = iam.create_access_key(UserName="gpu-node")["AccessKey"]
    return replace(endpoint, access_key=made["AccessKeyId"], secret_key=made["SecretAccessKey"])
