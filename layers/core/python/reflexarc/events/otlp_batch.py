"""otlp/1: one OTLP export request on its way to the rules, compressed as it came or by ingest.

The payload is an `ExportTraceServiceRequest`, `ExportMetricsServiceRequest` or
`ExportLogsServiceRequest` in protobuf.
"""

from typing import Literal

from pydantic import AwareDatetime, Field

from reflexarc.events.packed import Packed

OtlpSignal = Literal["traces", "metrics", "logs"]


class OtlpBatch(Packed):
    """One export request of one sender."""

    schema_: Literal["otlp/1"] = Field(default="otlp/1", alias="schema")
    signal: OtlpSignal
    received_at: AwareDatetime = Field(description="when it came into the account")
