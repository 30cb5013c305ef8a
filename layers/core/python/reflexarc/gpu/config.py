"""The gpu slice's part of the configuration: what a fleet wants judged differently."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from reflexarc.events.severity import Severity


class Override(BaseModel):
    """What to say instead about one code; what is left out stays as the catalogue has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["xid", "sxid"] = "xid"
    code: Annotated[int, Field(ge=0, le=99_999)]
    severity: Severity | None = None
    action: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | None = None
    owner: Literal["oncall", "job"] | None = None


class GpuPolicy(BaseModel):
    """Overrides of the built-in policy; of several for one code the last one holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overrides: tuple[Override, ...] = ()
