"""rejected/1: a message that can never succeed, kept in the dead-letter queue with its reason."""

from typing import Literal

from pydantic import AwareDatetime, Field

from reflexarc.events.envelope import Value

# SQS takes 1 MiB; leave room for the envelope and for JSON escapes of a hostile body.
ORIGINAL_MAX = 262_144


class RejectedMessage(Value):
    """What was refused, where, and why, in words an operator understands."""

    schema_: Literal["rejected/1"] = Field(default="rejected/1", alias="schema")
    message_id: str
    queue: str
    reason: str
    rejected_at: AwareDatetime
    original: str
    truncated: bool = False
    sender: str = Field(default="", description="who sent the original, as AWS or ingest verified")
