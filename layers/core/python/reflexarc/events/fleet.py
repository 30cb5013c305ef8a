"""unheard/1 and leaving/1: a node may have fallen silent, and an instance is being ended."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from reflexarc.events.envelope import NodeName, Value


class Unheard(Value):
    """Look whether a node spoke since; sent to arrive when its silence is no accident any more.

    `peers` are the other nodes of its rack, as far as they are known and did not say farewell;
    `witnesses` are nodes elsewhere that were heard last: where they are silent as well, whoever
    listens may be deaf.
    """

    schema_: Literal["unheard/1"] = Field(default="unheard/1", alias="schema")
    node: NodeName
    heard_at: AwareDatetime = Field(description="when the queue took its newest reading")
    rack: str = ""
    peers: tuple[NodeName, ...] = ()
    witnesses: tuple[NodeName, ...] = ()


class Leaving(Value):
    """An Auto Scaling group ends an instance: its silence is planned.

    The stack's EventBridge rule makes it of Auto Scaling's own events.
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
    """

    schema_: Literal["leaving/1"] = Field(default="leaving/1", alias="schema")
    instance: Annotated[str, StringConstraints(pattern=r"^i-[0-9a-f]{8,40}$")]
    group: str = ""
    at: AwareDatetime
