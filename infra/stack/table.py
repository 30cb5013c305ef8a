"""The tables: incidents with all that one transaction touches, the fleet, telemetry's accounts."""

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as ddb
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import kinds

_WATCH_INDEX = "watch"


class IncidentsTable:
    """The table and the grants on it."""

    def __init__(self, scope: Construct) -> None:
        self.table = _table(
            scope,
            "IncidentsTable",
            point_in_time_recovery_specification=ddb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            # The history of what broke outlives the stack; only a failed first deployment is
            # cleaned up. CloudFormation takes no parameter here.
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self.table.add_global_secondary_index(
            index_name=_WATCH_INDEX,
            partition_key=_text("watch_pk"),
            sort_key=_text("watch_sk"),
            projection_type=ddb.ProjectionType.ALL,
        )

    def grant(self, role: iam.Role, access: kinds.Table) -> None:
        """Let a role do what the catalogue says, on the table and nothing beside it."""
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[f"dynamodb:{action}" for action in access.actions],
                resources=[self.table.table_arn],
                conditions=_only_keys(access.leading_keys),
            )
        )
        if access.reads_index:
            # CDK's own grant would open `index/*`.
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=["dynamodb:Query"],
                    resources=[f"{self.table.table_arn}/index/{_WATCH_INDEX}"],
                )
            )


class FleetTable:
    """What readings leave: each node's last state, the hours of its GPUs, hot racks."""

    def __init__(self, scope: Construct) -> None:
        self.table = _table(
            scope,
            "FleetTable",
            # A minute of readings writes it anew; the hours are the price of keeping none of it.
            removal_policy=RemovalPolicy.DESTROY,
        )

    def grant(self, role: iam.Role, access: kinds.Fleet) -> None:
        """Let a role do what the catalogue says, on this table alone."""
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[f"dynamodb:{action}" for action in access.value],
                resources=[self.table.table_arn],
            )
        )


class TelemetryTable:
    """Which messages were accounted for, and the hours' counters."""

    def __init__(self, scope: Construct) -> None:
        self.table = _table(
            scope,
            "TelemetryTable",
            point_in_time_recovery_specification=ddb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            # What was dropped, by which rule and version, is evidence: it outlives the stack.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )

    def grant(self, role: iam.Role, access: kinds.Accounts) -> None:
        """Let a role do what the catalogue says, on this table alone."""
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[f"dynamodb:{action}" for action in access.value],
                resources=[self.table.table_arn],
            )
        )


def _table(scope: Construct, name: str, **differing: Any) -> ddb.Table:
    """Return a table as all of ours are: pk and sk, on demand, encrypted, with a time to live."""
    return ddb.Table(
        scope,
        name,
        partition_key=_text("pk"),
        sort_key=_text("sk"),
        billing_mode=ddb.BillingMode.PAY_PER_REQUEST,
        encryption=ddb.TableEncryption.AWS_MANAGED,
        time_to_live_attribute="ttl",
        **differing,
    )


def _only_keys(patterns: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the condition that holds a grant to rows of these partition keys.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    if not patterns:
        return None
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(patterns)}}


def _text(name: str) -> ddb.Attribute:
    return ddb.Attribute(name=name, type=ddb.AttributeType.STRING)
