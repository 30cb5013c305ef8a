"""Telemetry inside a message: compressed and in base64, or in the stack's bucket."""

from typing import Self

from pydantic import Field, model_validator

from reflexarc.events.envelope import Envelope
from reflexarc.events.otlp_batch import Encoding, Pointer


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
