"""What every message carries before its body."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from reflexarc.kernel.ids import ULID_PATTERN

Ulid = Annotated[str, StringConstraints(pattern=ULID_PATTERN)]
# RFC 1123 allows 253 characters in a host name; what it may contain is the escaper's concern.
NodeName = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class Value(BaseModel):
    """A frozen part of a message. Fields that this version does not know are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


# Where a node stands and what it is part of, as its operator names it: rack, cluster, zone.
Label = Annotated[str, StringConstraints(max_length=128)]
LABELS_MAX = 16


class Source(Value):
    """Who speaks: one node, one agent version, one boot of that node."""

    node: NodeName
    agent: str = Field(default="", description="version of the program that sent this")
    boot_id: str = Field(default="", description="/proc/sys/kernel/random/boot_id of the node")
    labels: dict[Label, Label] = Field(
        default_factory=dict,
        max_length=LABELS_MAX,
        description="what the operator says of the node: rack, cluster, zone",
    )


class Envelope(Value):
    """The header of every message; subclasses narrow `schema` to their own name and version."""

    schema_: str = Field(alias="schema", description="name/version of this message")
    id: Ulid
    sent_at: AwareDatetime = Field(description="sender's clock, stamped at each attempt to send")
    source: Source
