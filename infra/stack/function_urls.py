"""Function URLs: open to callers that AWS verified, or to all, where the function checks itself."""

from aws_cdk import Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lam
from constructs import Construct

from infra.kinds import Function
from infra.stack.parameters import Parameters


class FunctionUrl:
    """One function's URL, and the policy that lets a node's role call it."""

    def __init__(
        self, scope: Construct, parameters: Parameters, function: Function, deployed: lam.Function
    ) -> None:
        self._url = lam.CfnUrl(
            scope,
            f"{function.title}Endpoint",
            auth_type=Fn.condition_if(
                parameters.by_token.logical_id, "NONE", "AWS_IAM"
            ).to_string(),
            target_function_arn=deployed.function_arn,
        )
        for permission in _let_everybody(scope, function, deployed):
            permission.cfn_options.condition = parameters.by_token
        self.policy = _caller_policy(scope, function, deployed)

    @property
    def address(self) -> str:
        """Return the URL, with a slash at its end."""
        return self._url.attr_function_url


class OpenUrl:
    """One function's URL that everybody may call, because the function checks a signature."""

    def __init__(self, scope: Construct, function: Function, deployed: lam.Function) -> None:
        self._url = lam.CfnUrl(
            scope,
            f"{function.title}Endpoint",
            auth_type="NONE",
            target_function_arn=deployed.function_arn,
        )
        _let_everybody(scope, function, deployed)

    @property
    def address(self) -> str:
        """Return the URL, with a slash at its end."""
        return self._url.attr_function_url


def _let_everybody(
    scope: Construct, function: Function, deployed: lam.Function
) -> tuple[lam.CfnPermission, ...]:
    """Open the URL to all, only where the function itself checks who calls.

    Both actions, since October 2025:
    https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    """
    return (
        lam.CfnPermission(
            scope,
            f"{function.title}OpenUrl",
            action="lambda:InvokeFunctionUrl",
            function_name=deployed.function_arn,
            principal="*",
            function_url_auth_type="NONE",
        ),
        lam.CfnPermission(
            scope,
            f"{function.title}OpenInvoke",
            action="lambda:InvokeFunction",
            function_name=deployed.function_arn,
            principal="*",
            invoked_via_function_url=True,
        ),
    )


def _caller_policy(
    scope: Construct, function: Function, deployed: lam.Function
) -> iam.ManagedPolicy:
    return iam.ManagedPolicy(
        scope,
        f"{function.title}Post",
        description="Lets a reflexarc agent send faults and readings by HTTPS",
        statements=[
            iam.PolicyStatement(
                actions=["lambda:InvokeFunctionUrl"],
                resources=[deployed.function_arn],
                conditions={"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
            ),
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[deployed.function_arn],
                conditions={"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
            ),
        ],
    )
