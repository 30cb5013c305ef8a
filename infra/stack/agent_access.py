"""What edge agents and forwarders may do: send to their own queues, and nothing else."""

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import catalog
from infra.stack.bucket import DIRECT_PREFIX, TelemetryBucket
from infra.stack.queues import Queues


class AgentAccess:
    """The managed policy to attach to a node's role (instance profile, IRSA, Roles Anywhere)."""

    def __init__(self, scope: Construct, queues: Queues) -> None:
        self.policy = iam.ManagedPolicy(
            scope,
            "AgentSend",
            description="Lets a reflexarc agent send faults and readings",
            statements=[
                iam.PolicyStatement(
                    actions=["sqs:SendMessage"],
                    resources=[
                        queues[queue].main.queue_arn
                        for queue in catalog.QUEUES
                        if queue.agents_send
                    ],
                )
            ],
        )


class ForwarderAccess:
    """The managed policy of an OTLP forwarder that skips ingest: the queue, or the bucket."""

    def __init__(self, scope: Construct, queues: Queues, bucket: TelemetryBucket) -> None:
        self.policy = iam.ManagedPolicy(
            scope,
            "ForwarderSend",
            description="Lets an OTLP forwarder hand telemetry to reflexarc by SQS or S3",
            statements=[
                iam.PolicyStatement(
                    actions=["sqs:SendMessage"],
                    resources=[queues[catalog.TELEMETRY].main.queue_arn],
                ),
                bucket.allows(("PutObject",), (DIRECT_PREFIX,)),
            ],
        )
