"""The demo's result as a document: `build/demo/report.json`."""

from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from reflexarc.emulator.audit import Alert, Audit, percentile
from reflexarc.events.otlp_batch import OtlpSignal


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


class Rule(BaseModel):
    """What one rule did to the telemetry."""

    model_config = ConfigDict(frozen=True)

    rule: str
    action: str
    removed: int = Field(description="items that it took away")
    size: int = Field(description="bytes of them")
    emitted: int = Field(description="points that it wrote in place of those that it merged")
    held_back: int = Field(description="items that it would have taken away, but a guard kept")
    shadowed: int = Field(description="items that it would have taken away, were it not in shadow")


class Witness(BaseModel):
    """A fault that a node's own agent told of, and Fluent Bit by OTLP: one incident."""

    model_config = ConfigDict(frozen=True)

    node: str
    xid: int
    incidents: int
    reports: int = Field(description="of all witnesses")


class Telemetry(BaseModel):
    """What was sent by OTLP, what the rules did, and what the backend holds of it, by signal."""

    model_config = ConfigDict(frozen=True)

    requests: int
    sent: dict[OtlpSignal, int] = Field(description="spans, data points, log records")
    due: dict[OtlpSignal, int] = Field(description="what the rules keep of them")
    held: dict[OtlpSignal, int] = Field(description="what the backend has")
    rules: tuple[Rule, ...]
    guarded: dict[str, int] = Field(description="what no rule may take away, by guard")
    redacted: dict[str, int] = Field(description="replaced before anything left, by kind")
    size: int
    kept_size: int
    lost: int
    doubled: int
    unwanted: int = Field(description="spans at the backend that the rules take away")
    leaked: int = Field(description="requests with a secret that reached the backend")
    balanced: bool = Field(description="received = kept + dropped + sampled + aggregated, and sent")
    witness: Witness | None = Field(description="null: nothing was logged that both could see")

    @property
    def exact(self) -> bool:
        """Return whether the backend has what the rules keep, and the accounts say so."""
        wrong = self.lost or self.doubled or self.unwanted or self.leaked
        witness = self.witness
        one = witness is None or (witness.incidents == 1 and witness.reports > 1)
        return self.balanced and one and not wrong


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
    telemetry: Telemetry | None = Field(default=None, description="null: none was sent")

    @property
    def good(self) -> bool:
        """Return whether all arrived that was to arrive, once."""
        pages = not (self.lost or self.duplicates)
        return pages and (self.telemetry is None or self.telemetry.exact)

    @classmethod
    def of(
        cls,
        verdict: Audit,
        warm_up_ms: float | None = None,
        fleet: Fleet | None = None,
        storm: Storm | None = None,
        telemetry: Telemetry | None = None,
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
            telemetry=telemetry,
        )

    def write(self, path: Path) -> None:
        """Keep the document."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
