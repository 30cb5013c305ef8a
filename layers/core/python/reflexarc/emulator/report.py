"""The demo's result as a document: `build/demo/report.json`."""

from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from reflexarc.emulator.audit import Alert, Audit, percentile


class Latency(BaseModel):
    """How long pages took from the kernel's line to the vendor, in milliseconds."""

    model_config = ConfigDict(frozen=True)

    p50: float | None
    p95: float | None
    max: float | None

    @classmethod
    def of(cls, alerts: tuple[Alert, ...]) -> "Latency":
        """Return the spread over these alerts; nulls when there is none."""
        values = [alert.latency_ms for alert in alerts]
        return cls(
            p50=percentile(values, 0.50), p95=percentile(values, 0.95), max=percentile(values, 1)
        )


class AlertRow(BaseModel):
    """One page, as it landed."""

    model_config = ConfigDict(frozen=True)

    cause: str
    code: int | None
    node: str
    gpu: str
    severity: str
    channel: str
    latency_ms: float
    hops: dict[str, float]


class Fleet(BaseModel):
    """What the fleet's table knows of the node with GPUs."""

    model_config = ConfigDict(frozen=True)

    node: str
    gpus: int
    health: dict[str, int]
    jobs: tuple[str, ...]


class Storm(BaseModel):
    """What became of many faults with one cause, and of the press on Ack."""

    model_config = ConfigDict(frozen=True)

    nodes: int
    gpus: int
    pages: int = Field(description="different pages that came of it")
    says: str = Field(description="the page's first line in Slack")
    acked_by: str
    acked_ms: float | None = Field(description="from the press until the pager knew")


class Report(BaseModel):
    """What happened: every page, how long they took, what was lost or came twice."""

    model_config = ConfigDict(frozen=True)

    alerts: tuple[AlertRow, ...]
    latency_ms: Latency
    lost: int
    duplicates: int
    fleet: Fleet | None = Field(default=None, description="null: nothing was read of it yet")
    warm_up_ms: float | None = Field(
        default=None,
        description="the functions' start from cold, all at once and before the first line",
    )
    storm: Storm | None = Field(default=None, description="null: none was played")

    @classmethod
    def of(
        cls,
        verdict: Audit,
        warm_up_ms: float | None = None,
        fleet: Fleet | None = None,
        storm: Storm | None = None,
    ) -> "Report":
        """Return the document of a verdict."""
        return cls(
            alerts=tuple(AlertRow.model_validate(asdict(alert)) for alert in verdict.alerts),
            latency_ms=Latency.of(verdict.alerts),
            lost=len(verdict.lost),
            duplicates=len(verdict.duplicates),
            warm_up_ms=warm_up_ms,
            fleet=fleet,
            storm=storm,
        )

    def write(self, path: Path) -> None:
        """Keep the document."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
