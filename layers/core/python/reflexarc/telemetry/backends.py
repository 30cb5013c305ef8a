"""Where telemetry goes on to, as people write it: any OTLP/HTTP endpoint, and what it takes."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from reflexarc.events.forward import BackendName
from reflexarc.events.otlp_batch import OtlpSignal

Compression = Literal["none", "gzip", "zstd"]
# Of a batch before it is compressed; what most vendors take, and gRPC's own default.
BYTES_MAX = 4_000_000
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What the request itself says must not be said otherwise.
_OURS = frozenset({"content-type", "content-encoding", "content-length", "host"})


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SecretKey(_Part):
    """A value that stands in the secret `<stack>/telemetry`, under a key of this name."""

    secret: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Limits(_Part):
    """What a backend takes in one request; batches are cut to it between items.

    CloudWatch takes 5 MB, 10,000 spans, 200 KB a span.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html
    """

    max_bytes: int = Field(default=BYTES_MAX, ge=10_000, description="uncompressed")
    max_items: int | None = Field(
        default=None, ge=1, description="spans, data points or log records"
    )
    max_item_bytes: int | None = Field(
        default=None, ge=1_000, description="a larger item is put aside; the others go on"
    )


class AwsSignature(_Part):
    """Signs requests as the function's role (SigV4), for CloudWatch's own endpoints."""

    service: Literal["xray", "logs", "monitoring"]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]


class Backend(_Part):
    """One place that takes telemetry."""

    name: BackendName
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#]+$", max_length=500)] = (
        Field(description="without /v1/traces and so on, which follows from the signal")
    )
    signals: tuple[OtlpSignal, ...] = Field(default=("traces", "metrics", "logs"), min_length=1)
    headers: Mapping[str, str | SecretKey] = Field(
        default_factory=dict, description="text as it is, or {secret: name of a key}"
    )
    compression: Compression = "gzip"
    limits: Limits = Limits()
    timeout_s: float = Field(default=10.0, ge=1, le=20)
    insecure: bool = Field(default=False, description="allow http:// to another host")
    sign: AwsSignature | None = None
    usd_per_gb: Decimal | None = Field(
        default=None, ge=0, description="what it charges a GB; unknown where it is not given"
    )

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: Mapping[str, str | SecretKey]) -> Mapping[str, str | SecretKey]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(f"{name!r} is no header that can be set")
            if isinstance(value, str) and not value.isprintable():
                raise ValueError(f"the value of {name} holds characters that no header may")
        return headers

    def takes(self, signal: OtlpSignal) -> bool:
        """Return whether batches of this signal go there."""
        return signal in self.signals


class HandOn(_Part):
    """What other parts of reflexarc are given of the telemetry that comes.

    LLM spans and series go to queues that nobody reads until something is deployed that does.
    """

    kernel_lines: bool = Field(default=True, description="fault lines of kernel logs: gpu-faults")
    gpu_metrics: bool = Field(default=True, description="DCGM_FI_* metrics: gpu-readings")
    llm_spans: bool = Field(default=False, description="spans of LLM calls: llm-spans")
    series: tuple[str, ...] = Field(
        default=(), max_length=200, description="names of metrics whose points go to series"
    )


class Forwarding(_Part):
    """The document's part about where telemetry goes: `telemetry.backends` and `.hand_on`."""

    backends: tuple[Backend, ...] = Field(default=(), max_length=16)
    hand_on: HandOn = HandOn()
    archive: bool = Field(default=True, description="keep what comes, for previews and replays")

    @field_validator("backends")
    @classmethod
    def _names_differ(cls, backends: tuple[Backend, ...]) -> tuple[Backend, ...]:
        names = [each.name for each in backends]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two backends are called {', '.join(twice)}")
        return backends

    def backend(self, name: str) -> Backend | None:
        """Return the backend of a name, None where the document has none."""
        return next((each for each in self.backends if each.name == name), None)

    def to(self, signal: OtlpSignal) -> tuple[Backend, ...]:
        """Return where batches of a signal go on to."""
        return tuple(each for each in self.backends if each.takes(signal))
