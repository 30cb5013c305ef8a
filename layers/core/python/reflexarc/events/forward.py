"""forward/1: telemetry that one backend did not take yet, to be tried again for it alone."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.packed import Packed

BackendName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class Forward(Packed):
    """A part of a batch, as it is to be sent. Its id is the same however often it is put back.

    It is sent when `batch` is accounted for, and then only if it waits by that account: a function
    that died may have left parts here that the one after it sent.
    """

    schema_: Literal["forward/1"] = Field(default="forward/1", alias="schema")
    signal: OtlpSignal
    backend: BackendName
    items: int = Field(ge=0, description="spans, data points or log records")
    size: int = Field(ge=0, description="bytes as they are to be sent")
    first_at: AwareDatetime = Field(description="when it was first put back")
    not_before: AwareDatetime | None = Field(
        default=None, description="the backend asked for patience until then"
    )
    attempt: int = Field(
        default=1, ge=0, description="how often it was tried; 0: an operator sends it anew"
    )
    batch: str = Field(default="", description="the message that it is a part of; empty: of none")
    again: int = Field(
        default=0, ge=0, description="how often the backend may have got it before, at most"
    )
    said: str = Field(default="", description="what the backend said last")
