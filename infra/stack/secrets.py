"""Secrets: created empty, filled by their owner, read by the one function that needs them."""

import json

from aws_cdk import Aws, Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra import catalog
from infra.kinds import Secret


class Secrets:
    """Every secret of the catalogue, named `<stack>/<name>`."""

    def __init__(self, scope: Construct) -> None:
        self._secrets = {secret.name: _create(scope, secret) for secret in catalog.SECRETS}

    def arn(self, secret: Secret) -> str:
        """Return what GetSecretValue takes for this secret."""
        return self._secrets[secret.name].ref

    def grant(self, role: iam.Role, secret: Secret) -> None:
        """Let a role read one secret.

        By name, with six characters for the suffix that Secrets Manager adds: emulators return
        the name, not the ARN, for a reference.
        https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
        """
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["secretsmanager:GetSecretValue"],
                resources=[
                    Fn.sub(
                        "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}"
                        f":secret:${{AWS::StackName}}/{secret.name}-??????"
                    )
                ],
            )
        )


def _create(scope: Construct, secret: Secret) -> secretsmanager.CfnSecret:
    return secretsmanager.CfnSecret(
        scope,
        f"{secret.title}Secret",
        name=f"{Aws.STACK_NAME}/{secret.name}",
        description=secret.summary,
        secret_string=json.dumps(dict(secret.placeholder)),
    )
