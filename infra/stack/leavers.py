"""Instances that Auto Scaling groups end: EventBridge tells the signals queue, as leaving/1."""

import json

from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.stack.parameters import Parameters

# https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
_EVENTS = {
    "source": ["aws.autoscaling"],
    "detail-type": ["EC2 Instance-terminate Lifecycle Action", "EC2 Instance Terminate Successful"],
}
# EventBridge puts quotes around text that it fills in.
_PATHS = {
    "instance": "$.detail.EC2InstanceId",
    "group": "$.detail.AutoScalingGroupName",
    "at": "$.time",
}


def leavers_rule(scope: Construct, parameters: Parameters, queue: sqs.Queue) -> events.CfnRule:
    """Return the rule; who may send to the queue is the queue's business."""
    template = json.dumps({"schema": "leaving/1"} | {name: f"<{name}>" for name in _PATHS})
    for name in _PATHS:
        template = template.replace(f'"<{name}>"', f"<{name}>")
    rule = events.CfnRule(
        scope,
        "Leavers",
        description="an instance that its Auto Scaling group ends falls silent as planned",
        event_pattern=_EVENTS,
        targets=[
            events.CfnRule.TargetProperty(
                arn=queue.queue_arn,
                id="Signals",
                input_transformer=events.CfnRule.InputTransformerProperty(
                    input_paths_map=_PATHS, input_template=template
                ),
            )
        ],
    )
    # An emulator has no Auto Scaling groups, and no queue policy that would let the rule send.
    rule.cfn_options.condition = parameters.on_aws
    return rule
