"""How patient delivery is: the notify slice's part of the configuration."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field


class Pacing(BaseModel):
    """When to stop, when to come back. The defaults suit a function with a timeout of 10 s."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: timedelta = Field(
        default=timedelta(seconds=5),
        description="no send starts later than this after the batch did: one slow vendor call "
        "(4 s) must still end before the function's timeout",
    )
    backoff: timedelta = Field(
        default=timedelta(seconds=15), description="first wait after a failure; it doubles"
    )
    recheck: timedelta = Field(
        default=timedelta(seconds=5),
        description="first wait after a missing answer: long enough for the vendor to show what "
        "it took, short enough for a page",
    )
    longest: timedelta = Field(
        # SQS delays a message by 15 minutes at most.
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
        default=timedelta(seconds=900),
        le=timedelta(seconds=900),
        description="no wait is longer",
    )
    stale: timedelta = Field(
        default=timedelta(seconds=30), description="unsent for longer: the sweep wakes the group"
    )
