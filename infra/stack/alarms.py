"""Alarms on reflexarc itself: each names its runbook page and goes to the ops topic."""

import re
from dataclasses import dataclass

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra import catalog
from infra.kinds import EveryMinute, Function, Queue
from infra.stack.functions import Functions
from infra.stack.parameters import Parameters
from infra.stack.queues import QueuePair, Queues, logical
from infra.stack.topics import only_tls

# reflexarc.runtime.observability writes these, one set a function.
_NAMESPACE = "reflexarc"


@dataclass(frozen=True)
class _Watch:
    """One of our metrics, and in how many of how many minutes it may be above zero."""

    service: str
    metric: str
    meaning: str
    ill_minutes: int
    of_minutes: int = 5


_METRICS = (
    # A sender in trouble tries at last every 15 minutes: half an hour holds two attempts.
    _Watch("notify", "DeliveryFailing", "A vendor refuses or does not answer", 2, of_minutes=32),
    _Watch(
        "notify", "SecretsFailing", "A secret is missing, malformed or refused", 2, of_minutes=32
    ),
    _Watch("gpu_alert", "FaultsRejected", "Fault batches that no one can read", 1),
    # One stranger is nothing; the same minute after minute is somebody, or a wrong secret.
    _Watch("slack_action", "ClicksRefused", "Clicks are refused", 10, of_minutes=15),
    # A backend that is down for a minute catches up by itself.
    _Watch("telemetry_rules", "BackendFailing", "A backend takes no telemetry", 10, of_minutes=15),
    _Watch("watchdog", "Swept", "Notices stay behind, tick after tick", 5),
)


class Alarms:
    """The ops topic and every alarm."""

    def __init__(
        self, scope: Construct, parameters: Parameters, queues: Queues, functions: Functions
    ) -> None:
        self._scope = scope
        self.topic = _ops_topic(scope, parameters)
        for queue in catalog.QUEUES:
            self._watch_queue(queue, queues[queue])
        for function in catalog.FUNCTIONS:
            self._watch_function(function, functions.deployed[function.name])
            if function.name in functions.urls:
                self._watch_url(function, functions.deployed[function.name])
            if function.name in functions.open_urls:
                self._watch_open_url(function, functions.deployed[function.name])
        self._watch_throttles()
        for watch in _METRICS:
            self._watch_metric(watch)

    def _watch_queue(self, queue: Queue, pair: QueuePair) -> None:
        self._alarm(
            f"{queue.name}-dlq",
            "A message could not be processed and waits for a person",
            pair.dead_letter.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic="Maximum"
            ),
        )
        if queue.oldest_alarm_s is not None:
            self._alarm(
                f"{queue.name}-age",
                f"The oldest message is older than {queue.oldest_alarm_s} s: alerts are late",
                pair.main.metric_approximate_age_of_oldest_message(
                    period=Duration.minutes(1), statistic="Maximum"
                ),
                runbook=queue.oldest_runbook,
                threshold=queue.oldest_alarm_s,
                minutes=2,
            )

    def _watch_function(self, function: Function, deployed: lam.Function) -> None:
        # Handlers never raise: an error is a crash, a timeout or a broken deployment.
        self._alarm(
            f"{function.deployed_name}-errors",
            "The function crashed, timed out or could not start",
            deployed.metric_errors(period=Duration.minutes(1)),
            runbook="function-errors",
            minutes=5,
            ill_minutes=2,
        )
        if any(isinstance(trigger, EveryMinute) for trigger in function.triggers):
            self._watch_ticks(function, deployed)

    def _watch_ticks(self, function: Function, deployed: lam.Function) -> None:
        # Who does not run reports nothing: here nothing is ill.
        self._alarm(
            f"{function.deployed_name}-silent",
            "The watchdog does not run: silent nodes, lost wake-ups and timers go unseen",
            deployed.metric_invocations(period=Duration.minutes(1)),
            minutes=5,
            ill_minutes=3,
            below=True,
        )

    def _watch_throttles(self) -> None:
        """Watch the account: what it has of concurrency, all its functions share."""
        self._alarm(
            "throttles",
            "Lambda refuses to run functions: the account's concurrency is spent",
            cloudwatch.Metric(
                namespace="AWS/Lambda",
                metric_name="Throttles",
                statistic="Sum",
                period=Duration.minutes(1),
            ),
            runbook="function-throttles",
            minutes=5,
            ill_minutes=3,
        )

    def _watch_url(self, function: Function, deployed: lam.Function) -> None:
        # https://docs.aws.amazon.com/lambda/latest/dg/urls-monitoring.html
        self._alarm(
            f"{function.deployed_name}-url-fails",
            "Agents are answered with errors of ours: their faults wait on the nodes",
            deployed.metric("Url5xxCount", period=Duration.minutes(1), statistic="Sum"),
            runbook="ingest-url",
            minutes=5,
            ill_minutes=3,
        )
        self._alarm(
            f"{function.deployed_name}-url-refuses",
            "Callers are refused: a token or right that ended, or somebody who has none",
            deployed.metric("Url4xxCount", period=Duration.minutes(1), statistic="Sum"),
            runbook="ingest-url",
            minutes=15,
            ill_minutes=10,
        )

    def _watch_open_url(self, function: Function, deployed: lam.Function) -> None:
        self._alarm(
            f"{function.deployed_name}-url-fails",
            "People press buttons in Slack and are shown an error of ours",
            deployed.metric("Url5xxCount", period=Duration.minutes(1), statistic="Sum"),
            runbook="slack-action-url-fails",
            minutes=15,
            ill_minutes=2,
        )

    def _watch_metric(self, watch: _Watch) -> None:
        words = re.findall(r"[A-Z][a-z]+", watch.metric)
        self._alarm(
            "-".join(words).lower(),
            watch.meaning,
            cloudwatch.Metric(
                namespace=_NAMESPACE,
                metric_name=watch.metric,
                # Powertools writes the function's POWERTOOLS_SERVICE_NAME as this dimension.
                dimensions_map={"service": watch.service},
                statistic="Sum",
                period=Duration.minutes(1),
            ),
            minutes=watch.of_minutes,
            ill_minutes=watch.ill_minutes,
        )

    def _alarm(
        self,
        name: str,
        meaning: str,
        metric: cloudwatch.IMetric,
        *,
        runbook: str | None = None,
        threshold: int = 1,
        minutes: int = 1,
        ill_minutes: int | None = None,
        below: bool = False,
    ) -> None:
        operator = cloudwatch.ComparisonOperator
        missing = cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self._scope,
            f"{logical(name)}Alarm",
            alarm_name=f"{Aws.STACK_NAME}-{name}",
            alarm_description=f"{meaning}. Runbook: docs/runbooks/{runbook or name}.md",
            metric=metric,
            threshold=threshold,
            comparison_operator=(
                operator.LESS_THAN_THRESHOLD
                if below
                else operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            evaluation_periods=minutes,
            datapoints_to_alarm=ill_minutes,
            # SQS stops reporting a queue that is idle; Lambda reports nothing without invocations.
            treat_missing_data=missing.BREACHING if below else missing.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))


def _ops_topic(scope: Construct, parameters: Parameters) -> sns.Topic:
    topic = sns.Topic(
        scope,
        "Ops",
        topic_name=f"{Aws.STACK_NAME}-ops",
        display_name="reflexarc: its own health",
    )
    subscription = sns.CfnSubscription(
        scope,
        "OpsEmailSubscription",
        topic_arn=topic.topic_arn,
        protocol="email",
        endpoint=parameters.ops_email,
    )
    subscription.cfn_options.condition = parameters.has_ops_email
    policy = sns.CfnTopicPolicy(
        scope,
        "OpsPolicy",
        topics=[topic.topic_arn],
        policy_document=iam.PolicyDocument(
            statements=[only_tls(topic.topic_arn), _lets_alarms_publish(topic.topic_arn)]
        ),
    )
    policy.cfn_options.condition = parameters.on_aws
    return topic


def _lets_alarms_publish(topic_arn: str) -> iam.PolicyStatement:
    """Restate what the default policy, which ours replaces, allowed CloudWatch."""
    return iam.PolicyStatement(
        sid="AlarmsOfThisAccount",
        principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
        actions=["sns:Publish"],
        resources=[topic_arn],
        conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
    )
