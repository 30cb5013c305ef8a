"""series/1: points of the metrics that the configuration lists, to be watched as they come."""

from typing import Literal

from pydantic import AwareDatetime, Field

from reflexarc.events.envelope import Envelope, Value

Kind = Literal["gauge", "sum"]


class Point(Value):
    """One number of one series."""

    metric: str
    kind: Kind = "gauge"
    delta: bool = Field(default=False, description="of a sum: what was added since the last point")
    at: AwareDatetime
    value: float
    attributes: dict[str, str] = Field(default_factory=dict, description="of the point")
    resource: dict[str, str] = Field(default_factory=dict, description="what it is a point of")


class Series(Envelope):
    """The listed points of one batch, or a part of them."""

    schema_: Literal["series/1"] = Field(default="series/1", alias="schema")
    received_at: AwareDatetime = Field(description="when the batch came into the account")
    points: tuple[Point, ...] = Field(min_length=1)
