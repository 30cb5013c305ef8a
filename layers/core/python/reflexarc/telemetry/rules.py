"""One rule as people write it: what it does, to what, and who answers for it until when."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from reflexarc.engines.redact.policy import RedactionPolicy
from reflexarc.telemetry.aggregation import Aggregation
from reflexarc.telemetry.model import Action

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Said = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]

# What each action needs, and no other may have.
_SETTINGS = (("sample", "percent"), ("aggregate", "aggregate"), ("redact", "redact"))


class Rule(BaseModel):
    """A rule over telemetry. The first that holds decides, by priority and then by place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = Field(description="what counters, previews and explanations call it")
    action: Action = Field(
        description="drop; sample; aggregate (metrics); redact; keep: no later rule is asked"
    )
    filter: Mapping[str, Any] = Field(
        description="a `filter:` block of the Collector's filter processor, as it stands there"
    )
    priority: int = Field(default=100, ge=0, le=1_000_000, description="smaller is asked earlier")
    owner: Said = Field(description="who answers questions about it")
    reason: Said = Field(description="why nobody misses what it takes away")
    expires: date = Field(description="its last day, UTC; after it the rule does nothing")
    shadow: bool = Field(default=False, description="count what it would do, and do nothing")
    percent: float | None = Field(
        default=None, gt=0, lt=100, description="of sample: how many in a hundred traces stay"
    )
    aggregate: Aggregation | None = Field(default=None, description="of aggregate: how to merge")
    redact: RedactionPolicy | None = Field(
        default=None, description="of redact: what goes from the items that it holds for"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for action, setting in _SETTINGS:
            given = getattr(self, setting) is not None
            if given != (self.action == action):
                raise ValueError(
                    f"{setting} belongs to the action {action}"
                    if given
                    else f"the action {action} needs {setting}"
                )
        if self.shadow and self.action == "redact":
            raise ValueError("what is redacted is counted by kind, not by rule: it has no shadow")
        return self

    def in_force(self, today: date) -> bool:
        """Return whether the rule does anything on a day."""
        return today <= self.expires
