"""otlp/1: one OTLP export request on its way to the rules, compressed as it came or by ingest.

The payload is an `ExportTraceServiceRequest`, `ExportMetricsServiceRequest` or
`ExportLogsServiceRequest` in protobuf, compressed. It travels inside the message (base64) or, above
448 KiB, in the stack's bucket with a pointer here (DESIGN: "Sizes").
"""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from reflexarc.events.envelope import Envelope, Value

OtlpSignal = Literal["traces", "metrics", "logs"]
Encoding = Literal["identity", "gzip", "zstd"]


class Pointer(Value):
    """Where a payload lies. Followed only into the stack's own bucket and prefix."""

    bucket: str
    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    size: int = Field(ge=0, description="bytes of the object, as compressed")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class OtlpBatch(Envelope):
    """One export request of one sender."""

    schema_: Literal["otlp/1"] = Field(default="otlp/1", alias="schema")
    signal: OtlpSignal
    encoding: Encoding = "zstd"
    received_at: AwareDatetime = Field(description="when it came into the account")
    payload: str | None = Field(default=None, description="the compressed request, in base64")
    pointer: Pointer | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if (self.payload is None) == (self.pointer is None):
            raise ValueError("either payload or pointer, and one of them")
        return self
