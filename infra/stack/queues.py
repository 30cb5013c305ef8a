"""Queues: each encrypted, each with a dead-letter queue, none reachable without TLS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Aws, Duration, Fn
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import catalog, kinds
from infra.kinds import Queue
from infra.stack.bucket import bucket_arn
from infra.stack.leavers import leavers_rule
from infra.stack.parameters import Parameters

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class QueuePair:
    """A queue as deployed, with the queue that keeps what failed."""

    main: sqs.Queue
    dead_letter: sqs.Queue


class Queues:
    """Every queue of the catalogue."""

    def __init__(self, scope: Construct, parameters: Parameters) -> None:
        self._scope = scope
        self._parameters = parameters
        self._pairs = {queue.name: self._pair(queue) for queue in catalog.QUEUES}

    def __getitem__(self, queue: Queue) -> QueuePair:
        return self._pairs[queue.name]

    def destination(self, value: kinds.SendTo) -> sqs.Queue:
        """Return the queue that an environment value names."""
        pair = self[value.queue]
        return pair.dead_letter if value.dead_letter else pair.main

    def _pair(self, queue: Queue) -> QueuePair:
        title = logical(queue.name)
        dead_letter = sqs.Queue(
            self._scope,
            f"{title}Dlq",
            queue_name=_physical(f"{queue.name}-dlq{queue.suffix}"),
            retention_period=Duration.seconds(kinds.LONGEST_RETENTION_S),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            fifo=queue.fifo or None,
        )
        main = sqs.Queue(
            self._scope,
            f"{title}Queue",
            queue_name=_physical(f"{queue.name}{queue.suffix}"),
            visibility_timeout=Duration.seconds(queue.visibility_s),
            retention_period=Duration.seconds(queue.retention_s),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=dead_letter, max_receive_count=queue.max_receive
            ),
            **_fifo(queue),
        )
        more: list[Any] = []
        if queue.agents_send:
            more.append(
                Fn.condition_if(
                    self._parameters.has_agent_principals.logical_id,
                    _lets_agents_send(main, self._parameters.agent_principals),
                    Fn.ref("AWS::NoValue"),
                )
            )
        if queue.hears_of_leavers:
            rule = leavers_rule(self._scope, self._parameters, main)
            more.append(_lets_rule_send(main, rule))
        if queue.hears_of_objects:
            more.append(_lets_bucket_send(main))
        self._guard(f"{title}QueuePolicy", main, more, everywhere=queue.hears_of_objects)
        self._guard(f"{title}DlqPolicy", dead_letter, ())
        return QueuePair(main, dead_letter)

    def _guard(
        self, name: str, queue: sqs.Queue, more: Sequence[Any], *, everywhere: bool = False
    ) -> None:
        """Demand TLS on AWS; `everywhere` keeps what else the policy says in an emulator too."""
        statements: list[Any] = [_only_tls(queue), *more]
        if everywhere:
            condition = self._parameters.on_aws.logical_id
            statements[0] = Fn.condition_if(condition, statements[0], Fn.ref("AWS::NoValue"))
        policy = sqs.CfnQueuePolicy(
            self._scope,
            name,
            queues=[queue.queue_url],
            policy_document={"Version": "2012-10-17", "Statement": statements},
        )
        # An emulator speaks plain HTTP on loopback; only there may this policy be absent.
        if not everywhere:
            policy.cfn_options.condition = self._parameters.on_aws


def logical(name: str) -> str:
    """Return a name as logical ids spell it: gpu-faults becomes GpuFaults."""
    return "".join(word.capitalize() for word in name.split("-"))


def _physical(name: str) -> str:
    return f"{Aws.STACK_NAME}-{name}"


def _fifo(queue: Queue) -> dict[str, Any]:
    if not queue.fifo:
        return {}
    return {
        "fifo": True,
        # A wake-up carries a random id: two wake-ups are never the same message.
        "content_based_deduplication": False,
        # Lifts the limit of 300 calls/s a queue to one a group: a storm wakes many groups.
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html
        "deduplication_scope": sqs.DeduplicationScope.MESSAGE_GROUP,
        "fifo_throughput_limit": sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
    }


def _only_tls(queue: sqs.Queue) -> Statement:
    return {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": queue.queue_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _lets_agents_send(queue: sqs.Queue, principals: list[str]) -> Statement:
    return {
        "Sid": "AgentsOfOtherAccounts",
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": "sqs:SendMessage",
        "Resource": queue.queue_arn,
    }


def _lets_rule_send(queue: sqs.Queue, rule: events.CfnRule) -> Statement:
    return {
        "Sid": "LeaversOfThisStack",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue.queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
    }


def _lets_bucket_send(queue: sqs.Queue) -> Statement:
    """Let S3 speak for our own bucket: the account too, for a bucket's name can be taken over.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
    """
    return {
        "Sid": "ObjectsOfThisStack",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue.queue_arn,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": bucket_arn()},
            "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
        },
    }
