"""Evens out where the emulator's IAM asks for more than AWS does.

On AWS `sqs:SendMessage` allows SendMessageBatch too, and no such action as `sqs:SendMessageBatch`
exists; the emulator asks for it. So whoever may send one message gets leave to send ten at once, to
the same queues, and nothing else.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
"""

import json
from typing import Any

from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.stack import FUNCTIONS, Stack

SEND, SEND_BATCH = "sqs:SendMessage", "sqs:SendMessageBatch"
NAME = "EmulatorSendsBatches"

Document = dict[str, Any]


def fill_roles(stack: Stack) -> None:
    """Let every function send batches to the queues that its role lets it send to."""
    iam, functions = stack.endpoint.client("iam"), stack.endpoint.client("lambda")
    for name in FUNCTIONS:
        role_arn = functions.get_function_configuration(FunctionName=stack.function(name))["Role"]
        role = role_arn.rpartition("/")[2]
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        policies = [
            iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for policy in names
        ]
        iam.put_role_policy(
            RoleName=role, PolicyName=NAME, PolicyDocument=json.dumps(batches(policies))
        )


def fill_user(endpoint: Endpoint, user: str, policy_arn: str) -> None:
    """Let a user send batches to the queues that a managed policy lets it send to."""
    iam = endpoint.client("iam")
    version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
    policy = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)["PolicyVersion"]
    document = batches([policy["Document"]])
    iam.put_user_policy(UserName=user, PolicyName=NAME, PolicyDocument=json.dumps(document))


def batches(policies: list[Document | str]) -> Document:
    """Return a policy of SendMessageBatch wherever these allow SendMessage."""
    statements = [
        {"Effect": "Allow", "Action": SEND_BATCH, "Resource": statement["Resource"]}
        for policy in policies
        for statement in _statements(policy)
        if statement["Effect"] == "Allow" and SEND in _listed(statement["Action"])
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _statements(policy: Document | str) -> list[Document]:
    document = json.loads(policy) if isinstance(policy, str) else policy
    statements: list[Document] = _listed(document["Statement"])
    return statements


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
