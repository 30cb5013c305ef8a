"""Telemetry inside a message: compressed and in base64, or in the stack's bucket.

It travels inside the message or, above 448 KiB, in the bucket with a pointer here (DESIGN:
"Sizes").
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from reflexarc.events.envelope import Envelope, Value

Encoding = Literal["identity", "gzip", "zstd"]


class Pointer(Value):
    """Where a payload lies. Followed only into the stack's own bucket and prefix."""

    bucket: str
    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    size: int = Field(ge=0, description="bytes of the object, as compressed")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Packed(Envelope):
    """A message that carries an OTLP export request, or points at one."""

    encoding: Encoding = "zstd"
    payload: str | None = Field(default=None, description="the compressed request, in base64")
    pointer: Pointer | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if (self.payload is None) == (self.pointer is None):
            raise ValueError("either payload or pointer, and one of them")
        return self
