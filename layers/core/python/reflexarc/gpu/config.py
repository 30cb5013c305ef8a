"""The gpu slice's part of the configuration: what a fleet wants judged differently."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from reflexarc.events.gpu_faults import RULE_PATTERN
from reflexarc.events.severity import Severity

GpuName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Wish(BaseModel):
    """What to say instead; what is left out stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity | None = None
    action: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | None = None
    owner: Literal["oncall", "job"] | None = None


class Override(Wish):
    """What to say instead about one code of the catalogue."""

    kind: Literal["xid", "sxid"] = "xid"
    code: Annotated[int, Field(ge=0, le=99_999)]


class RuleOverride(Wish):
    """What to say instead about one rule of the nodes."""

    rule: Annotated[str, StringConstraints(pattern=RULE_PATTERN)]


class GpuPolicy(BaseModel):
    """Overrides of the built-in policy; of several for one code or rule the last one holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overrides: tuple[Override, ...] = ()
    rules: tuple[RuleOverride, ...] = ()
    hourly_usd: dict[GpuName, Annotated[Decimal, Field(ge=0)]] = Field(
        default_factory=dict, description="what a GPU costs an hour, by a part of its name"
    )

    def price_of(self, name: str) -> Decimal | None:
        """Return what a GPU of this name costs an hour; the longest part that fits decides."""
        fitting = [part for part in self.hourly_usd if part.lower() in name.lower()]
        return self.hourly_usd[max(fitting, key=len)] if fitting and name else None
