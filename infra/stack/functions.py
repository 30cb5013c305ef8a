"""Functions: role, log group, layers, settings and triggers of each line of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws, Duration, Fn, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import catalog, kinds
from infra.kinds import Function
from infra.paths import ROOT
from infra.stack.bucket import TelemetryBucket
from infra.stack.function_urls import FunctionUrl, OpenUrl
from infra.stack.parameters import Parameters
from infra.stack.queues import Queues, logical
from infra.stack.secrets import Secrets
from infra.stack.table import FleetTable, IncidentsTable, TelemetryTable
from infra.stack.topics import Topics

_Stored = kinds.Table | kinds.Fleet | kinds.Accounts | kinds.Objects
_Reachable = _Stored | kinds.SendTo | kinds.Read | kinds.Publish
_NOT_DEPLOYED = ["**/__pycache__", "*.md"]


@dataclass(frozen=True)
class Stores:
    """What functions read and write."""

    queues: Queues
    table: IncidentsTable
    fleet: FleetTable
    accounts: TelemetryTable
    bucket: TelemetryBucket
    secrets: Secrets
    topics: Topics


class Functions:
    """Every function of the catalogue, with least privilege taken from its environment."""

    def __init__(self, scope: Construct, parameters: Parameters, stores: Stores) -> None:
        self._scope = scope
        self._parameters = parameters
        self._stores = stores
        self._layers = [
            _layer(scope, "CoreLayer", "build/core", "reflexarc itself"),
            _layer(scope, "DepsLayer", "build/deps", "what reflexarc imports, from uv.lock"),
        ]
        # Of its own, so that the page path does not unpack what it never imports.
        self._otlp = _layer(scope, "OtlpLayer", "build/otlp", "what reads OTLP, from uv.lock")
        self.urls: dict[str, FunctionUrl] = {}
        self.open_urls: dict[str, OpenUrl] = {}
        self.deployed: Mapping[str, lam.Function] = {
            function.name: self._deploy(function) for function in catalog.FUNCTIONS
        }

    def _deploy(self, function: Function) -> lam.Function:
        name = f"{Aws.STACK_NAME}-{function.deployed_name}"
        group = logs.LogGroup(
            self._scope,
            f"{function.title}Logs",
            log_group_name=f"/aws/lambda/{name}",
            removal_policy=RemovalPolicy.DESTROY,
        )
        cfn_group = group.node.default_child
        assert isinstance(cfn_group, logs.CfnLogGroup)  # noqa: S101 - narrows jsii's Any
        cfn_group.retention_in_days = self._parameters.log_retention
        role = iam.Role(
            self._scope,
            f"{function.title}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        group.grant_write(role)
        deployed = lam.Function(
            self._scope,
            f"{function.title}Function",
            function_name=name,
            description=function.summary,
            runtime=lam.Runtime.PYTHON_3_13,
            architecture=lam.Architecture.ARM_64,
            handler="handler.handler",
            code=lam.Code.from_asset(
                str(ROOT / "functions" / function.name), exclude=_NOT_DEPLOYED
            ),
            layers=[*self._layers, *([self._otlp] if function.reads_otlp else [])],
            role=role,
            log_group=group,
            timeout=Duration.seconds(function.timeout_s),
            memory_size=function.memory_mb,
            environment=self._environment(function, role),
            reserved_concurrent_executions=(
                self._parameters.reserved_concurrency if function.on_page_path else None
            ),
        )
        for trigger in function.triggers:
            self._trigger(function, deployed, trigger)
        return deployed

    def _environment(self, function: Function, role: iam.Role) -> dict[str, str]:
        """Return the environment, granting what each value stands for."""
        environment = {
            "POWERTOOLS_SERVICE_NAME": function.name,
            "POWERTOOLS_LOG_LEVEL": self._parameters.text("LogLevel"),
            # Spares every cold start a scan of all installed distributions (docs/adr/007).
            "PYDANTIC_DISABLE_PLUGINS": "__all__",
        }
        for name, value in function.environment.items():
            environment[name] = self._granted(value, role)
        return environment

    def _granted(self, value: kinds.Value, role: iam.Role) -> str:
        match value:
            case kinds.Parameter(name):
                return self._parameters.text(name)
            case kinds.RoleId(name):
                title = next(each.title for each in catalog.FUNCTIONS if each.name == name)
                return Fn.get_att(f"{title}Role", "RoleId").to_string()
            case _:
                return self._reachable(value, role)

    def _reachable(
        self,
        value: _Reachable,
        role: iam.Role,
    ) -> str:
        stores = self._stores
        match value:
            case kinds.Table() | kinds.Fleet() | kinds.Accounts() | kinds.Objects():
                return self._stored(value, role)
            case kinds.SendTo():
                queue = stores.queues.destination(value)
                role.add_to_policy(
                    iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn])
                )
                return queue.queue_url
            case kinds.Read(secret):
                stores.secrets.grant(role, secret)
                return stores.secrets.arn(secret)
            case kinds.Publish(topic):
                stores.topics.grant(role, topic)
                return stores.topics.arn(topic)

    def _stored(self, value: _Stored, role: iam.Role) -> str:
        stores = self._stores
        match value:
            case kinds.Table():
                stores.table.grant(role, value)
                return stores.table.table.table_name
            case kinds.Fleet():
                stores.fleet.grant(role, value)
                return stores.fleet.table.table_name
            case kinds.Accounts():
                stores.accounts.grant(role, value)
                return stores.accounts.table.table_name
            case kinds.Objects():
                stores.bucket.grant(role, value)
                return stores.bucket.name

    def _trigger(
        self,
        function: Function,
        deployed: lam.Function,
        trigger: kinds.Trigger,
    ) -> None:
        match trigger:
            case kinds.EveryMinute():
                self._every_minute(function, deployed)
            case kinds.FromHttps():
                self.urls[function.name] = FunctionUrl(
                    self._scope, self._parameters, function, deployed
                )
            case kinds.FromAnyone():
                self.open_urls[function.name] = OpenUrl(self._scope, function, deployed)
            case kinds.FromQueue():
                self._from_queue(deployed, trigger)

    def _from_queue(self, deployed: lam.Function, trigger: kinds.FromQueue) -> None:
        queue = self._stores.queues[trigger.queue].main
        queue.grant_consume_messages(deployed)
        lam.EventSourceMapping(
            self._scope,
            f"{logical(trigger.queue.name)}Mapping",
            target=deployed,
            event_source_arn=queue.queue_arn,
            batch_size=trigger.batch_size,
            max_batching_window=Duration.seconds(trigger.window_s) if trigger.window_s else None,
            report_batch_item_failures=True,
            max_concurrency=trigger.max_concurrency,
        )

    def _every_minute(self, function: Function, deployed: lam.Function) -> None:
        events.Rule(
            self._scope,
            f"{function.title}EveryMinute",
            description=f"runs {function.deployed_name}: {function.summary}",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[targets.LambdaFunction(deployed)],
        )
        # A tick that failed is not worth repeating: the next one is a minute away.
        deployed.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(1))


def _layer(scope: Construct, name: str, folder: str, description: str) -> lam.LayerVersion:
    return lam.LayerVersion(
        scope,
        name,
        code=lam.Code.from_asset(str(ROOT / folder)),
        compatible_runtimes=[lam.Runtime.PYTHON_3_13],
        compatible_architectures=[lam.Architecture.ARM_64],
        description=description,
        removal_policy=RemovalPolicy.DESTROY,
    )
