"""What an edge agent may do: send to the two agent queues, and nothing else."""

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import catalog
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
