"""The CDK app. `cdk deploy` uses it as it is; `infra.synth` writes template.yaml from it."""

import re
from collections.abc import Mapping

import aws_cdk as cdk

from infra import catalog
from infra.stack.agent_access import AgentAccess, ForwarderAccess
from infra.stack.alarms import Alarms
from infra.stack.bucket import TelemetryBucket
from infra.stack.functions import Functions, Stores
from infra.stack.parameters import Parameters
from infra.stack.queues import Queues, logical
from infra.stack.secrets import Secrets
from infra.stack.table import FleetTable, IncidentsTable, TelemetryTable
from infra.stack.topics import Topics

STACK_NAME = "reflexarc"
# Part of logical ids: never vary it by stage or by stack name.
_CONSTRUCT_ID = "reflexarc"


class ReflexarcStack(cdk.Stack):
    """Everything that reflexarc runs in an account."""

    def __init__(self, scope: cdk.App, stack_name: str) -> None:
        super().__init__(
            scope,
            _CONSTRUCT_ID,
            stack_name=stack_name,
            analytics_reporting=False,
            description="reflexarc: a GPU fault becomes a page",
            # The bootstrap rule would add a parameter that only accounts bootstrapped by CDK have.
            synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        )
        self.template_options.metadata = {
            # W3002 asks for `package`: local asset paths are the point of this template.
            # W3005 calls CDK's explicit DependsOn redundant.
            "cfn-lint": {"config": {"ignore_checks": ["W3002", "W3005"]}}
        }
        parameters = Parameters(self)
        queues = Queues(self, parameters)
        table = IncidentsTable(self)
        fleet = FleetTable(self)
        accounts = TelemetryTable(self)
        bucket = TelemetryBucket(self, parameters, queues[catalog.TELEMETRY].main)
        secrets = Secrets(self)
        topics = Topics(self, parameters)
        stores = Stores(queues, table, fleet, accounts, bucket, secrets, topics)
        functions = Functions(self, parameters, stores)
        alarms = Alarms(self, parameters, queues, functions)
        access = AgentAccess(self, queues)
        forwarders = ForwarderAccess(self, queues, bucket)
        for queue in catalog.QUEUES:
            self._output(f"{logical(queue.name)}QueueUrl", queues[queue].main.queue_url)
            self._output(f"{logical(queue.name)}DlqUrl", queues[queue].dead_letter.queue_url)
        for secret in catalog.SECRETS:
            self._output(f"{secret.title}SecretArn", secrets.arn(secret))
        for topic in catalog.TOPICS:
            self._output(f"{topic.title}TopicArn", topics.arn(topic))
        self._output("IncidentsTableName", table.table.table_name)
        self._output("FleetTableName", fleet.table.table_name)
        self._output("TelemetryTableName", accounts.table.table_name)
        self._output("TelemetryBucketName", bucket.name)
        self._output("ForwarderPolicyArn", forwarders.policy.managed_policy_arn)
        self._output("AgentPolicyArn", access.policy.managed_policy_arn)
        self._output("IngestUrl", functions.urls["ingest"].address)
        self._output("IngestPolicyArn", functions.urls["ingest"].policy.managed_policy_arn)
        self._output("SlackActionUrl", functions.open_urls["slack_action"].address)
        self._output("OpsTopicArn", alarms.topic.topic_arn)

    def _output(self, name: str, value: str) -> None:
        cdk.CfnOutput(self, name, value=value)

    def _allocate_logical_id(self, element: cdk.CfnElement) -> str:
        """Return the construct path without CDK's hash; a clash fails at synthesis."""
        parts = element.node.path.split("/")[1:]
        path = "".join(part for part in parts if part not in {"Resource", "Default"})
        return re.sub(r"[0-9A-F]{8}$", "", re.sub(r"[^A-Za-z0-9]", "", path))


def build(
    stack_name: str = STACK_NAME,
    outdir: str | None = None,
    context: Mapping[str, object] | None = None,
) -> cdk.App:
    """Return the app, ready to synthesize."""
    app = cdk.App(outdir=outdir, analytics_reporting=False, tree_metadata=False, context=context)
    ReflexarcStack(app, app.node.try_get_context("stack") or stack_name)
    return app


if __name__ == "__main__":
    build().synth()
