"""The bucket of telemetry: what is too large for a message, the archive, what a backend refused."""

from typing import Any

from aws_cdk import Aws, Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import kinds
from infra.stack.parameters import Parameters

# What forwarders write themselves; each object becomes a message of the telemetry queue.
DIRECT_PREFIX = "inbox-direct"
# As long as a dead letter may wait for a person: a pointer never outlives what it points at. The
# function deletes what it has accounted for, so this is for what it never saw.
_UNREAD_DAYS = kinds.LONGEST_RETENTION_S // kinds.DAY


def bucket_name() -> str:
    """Return the bucket's name, known before the bucket is there: its queue's policy names it.

    The stack's own unique id, because a stack's name may hold capitals, which S3 refuses.
    """
    unique = Fn.select(2, Fn.split("/", Aws.STACK_ID))
    return Fn.join("-", ["reflexarc-telemetry", unique])


def bucket_arn() -> str:
    """Return the bucket's ARN by its name, for what must stand before the bucket."""
    return Fn.join("", ["arn:", Aws.PARTITION, ":s3:::", bucket_name()])


class TelemetryBucket:
    """The bucket and the grants on it, each held to a prefix."""

    def __init__(self, scope: Construct, parameters: Parameters, hears: sqs.Queue) -> None:
        self._bucket = s3.CfnBucket(
            scope,
            "TelemetryBucket",
            bucket_name=bucket_name(),
            public_access_block_configuration=s3.CfnBucket.PublicAccessBlockConfigurationProperty(
                block_public_acls=True,
                block_public_policy=True,
                ignore_public_acls=True,
                restrict_public_buckets=True,
            ),
            ownership_controls=s3.CfnBucket.OwnershipControlsProperty(
                rules=[
                    s3.CfnBucket.OwnershipControlsRuleProperty(
                        object_ownership="BucketOwnerEnforced"
                    )
                ]
            ),
            bucket_encryption=_encrypted(),
            lifecycle_configuration=s3.CfnBucket.LifecycleConfigurationProperty(
                rules=_lifecycle(parameters)
            ),
            notification_configuration=_tells(hears),
        )
        # CloudFormation cannot delete a bucket that holds objects, and the archive is the user's.
        self._bucket.add_override("DeletionPolicy", "RetainExceptOnCreate")
        self._bucket.add_override("UpdateReplacePolicy", "Retain")
        # S3 asks the queue before it takes the notification: its policy must stand first.
        self._bucket.add_resource_dependency(_policy_of(scope, hears))
        policy = s3.CfnBucketPolicy(
            scope,
            "TelemetryBucketPolicy",
            bucket=self._bucket.ref,
            policy_document={"Version": "2012-10-17", "Statement": [_only_tls(self.arn)]},
        )
        # An emulator speaks plain HTTP on loopback; only there may this policy be absent.
        policy.cfn_options.condition = parameters.on_aws

    @property
    def name(self) -> str:
        """Return what S3 calls the bucket."""
        return self._bucket.ref

    @property
    def arn(self) -> str:
        """Return the bucket's ARN."""
        return self._bucket.attr_arn

    def grant(self, role: iam.Role, access: kinds.Objects) -> None:
        """Let a role do what the catalogue says, under the prefixes it names and nowhere else."""
        for actions, prefixes in access.value:
            role.add_to_policy(self.allows(actions, prefixes))
        if access.tells_missing:
            # Without it S3 calls a key that is not there forbidden.
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
            role.add_to_policy(iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.arn]))

    def allows(self, actions: tuple[str, ...], prefixes: tuple[str, ...]) -> iam.PolicyStatement:
        """Return the statement that allows these actions on objects under these prefixes."""
        return iam.PolicyStatement(
            actions=[f"s3:{action}" for action in actions],
            resources=[f"{self.arn}/{prefix}/*" for prefix in prefixes],
        )


def _policy_of(scope: Construct, queue: sqs.Queue) -> sqs.CfnQueuePolicy:
    policy = scope.node.find_child(f"{queue.node.id}Policy")
    assert isinstance(policy, sqs.CfnQueuePolicy)  # noqa: S101 - narrows jsii's IConstruct
    return policy


def _encrypted() -> s3.CfnBucket.BucketEncryptionProperty:
    return s3.CfnBucket.BucketEncryptionProperty(
        server_side_encryption_configuration=[
            s3.CfnBucket.ServerSideEncryptionRuleProperty(
                server_side_encryption_by_default=s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
                    sse_algorithm="AES256"
                )
            )
        ]
    )


def _lifecycle(parameters: Parameters) -> list[s3.CfnBucket.RuleProperty]:
    kept: dict[str, float] = {
        "inbox": _UNREAD_DAYS,
        DIRECT_PREFIX: _UNREAD_DAYS,
        "forward": _UNREAD_DAYS,
        "dead": _UNREAD_DAYS,
        "llm-spans": _UNREAD_DAYS,
        "archive": parameters.archive_days,
    }
    return [
        *(
            s3.CfnBucket.RuleProperty(
                id=f"{prefix}-ends", prefix=f"{prefix}/", status="Enabled", expiration_in_days=days
            )
            for prefix, days in kept.items()
        ),
        s3.CfnBucket.RuleProperty(
            id="half-uploads-end",
            status="Enabled",
            abort_incomplete_multipart_upload=s3.CfnBucket.AbortIncompleteMultipartUploadProperty(
                days_after_initiation=1
            ),
        ),
    ]


def _tells(queue: sqs.Queue) -> s3.CfnBucket.NotificationConfigurationProperty:
    return s3.CfnBucket.NotificationConfigurationProperty(
        queue_configurations=[
            s3.CfnBucket.QueueConfigurationProperty(
                event="s3:ObjectCreated:*",
                queue=queue.queue_arn,
                filter=s3.CfnBucket.NotificationFilterProperty(
                    s3_key=s3.CfnBucket.S3KeyFilterProperty(
                        rules=[
                            s3.CfnBucket.FilterRuleProperty(
                                name="prefix", value=f"{DIRECT_PREFIX}/"
                            )
                        ]
                    )
                ),
            )
        ]
    )


def _only_tls(arn: str) -> dict[str, Any]:
    return {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
