"""Topics for alerts: encrypted, not reachable without TLS, written by the one function that may."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra import catalog
from infra.kinds import Topic
from infra.stack.parameters import Parameters

# AWS's own key: every principal of this account that may use the topic may use it through SNS. It
# keeps AWS services out, which is why the ops topic, where CloudWatch publishes, does without.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
_KEY = "alias/aws/sns"


class Topics:
    """Every topic of the catalogue, named `<stack>-<name>`."""

    def __init__(self, scope: Construct, parameters: Parameters) -> None:
        self._topics = {topic.name: _create(scope, parameters, topic) for topic in catalog.TOPICS}

    def arn(self, topic: Topic) -> str:
        """Return what Publish takes for this topic."""
        return self._topics[topic.name].ref

    def grant(self, role: iam.Role, topic: Topic) -> None:
        """Let a role publish to one topic, and do nothing else with it."""
        role.add_to_policy(
            iam.PolicyStatement(actions=["sns:Publish"], resources=[self.arn(topic)])
        )


def only_tls(topic_arn: str) -> iam.PolicyStatement:
    """Refuse whoever publishes without TLS."""
    return iam.PolicyStatement(
        sid="OnlyTls",
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=["sns:Publish"],
        resources=[topic_arn],
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )


def _create(scope: Construct, parameters: Parameters, topic: Topic) -> sns.CfnTopic:
    created = sns.CfnTopic(
        scope,
        f"{topic.title}Topic",
        topic_name=f"{Aws.STACK_NAME}-{topic.name}",
        display_name=f"reflexarc: {topic.name}",
        kms_master_key_id=_KEY,
    )
    # Its Deny alone: what this account's own policies allow stays allowed.
    policy = sns.CfnTopicPolicy(
        scope,
        f"{topic.title}TopicPolicy",
        topics=[created.ref],
        policy_document=iam.PolicyDocument(statements=[only_tls(created.ref)]),
    )
    policy.cfn_options.condition = parameters.on_aws
    return created
