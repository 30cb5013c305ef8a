"""What an operator decides about an agent, wherever it is written: file, flag or environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from reflexarc.agent.sink import SinkSettings
from reflexarc.events.envelope import LABELS_MAX, Label
from reflexarc.events.problems import problems_of
from reflexarc.kernel.errors import Rejected

SOURCE_PATTERN = r"^(kmsg|stdin|file:.+)$"


class AgentSettings(SinkSettings):
    """One agent's settings; unknown names are refused, so that a typing error is found."""

    node: Annotated[str, StringConstraints(min_length=1, max_length=253, strip_whitespace=True)]
    second: SinkSettings | None = Field(
        default=None, description="another sink, in another region, for while this one is ill"
    )
    sources: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=SOURCE_PATTERN)], ...],
        Field(min_length=1, description="kmsg, stdin or file:PATH"),
    ] = ("kmsg",)
    start: Literal["resume", "start", "end"] | None = None
    spool_dir: Path = Path("/var/lib/reflexarc/spool")
    spool_max_mb: int = Field(default=64, ge=1)
    heartbeat_s: float = Field(default=60.0, gt=0)
    drain_s: float = Field(default=10.0, ge=0)
    allow_userspace_kmsg: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    nvml: Literal["auto", "off"] = Field(default="auto", description="auto: where there is one")
    dcgm_url: Annotated[str, StringConstraints(pattern=r"^(https?://.+)?$")] = Field(
        default="", description="a DCGM exporter's page: http://localhost:9400/metrics"
    )
    ports: bool = Field(default=True, description="read InfiniBand, RoCE and EFA ports")
    vitals: bool = Field(default=True, description="read memory, disk, pressure, throttling")
    sys_dir: Path = Path("/sys")
    proc_dir: Path = Path("/proc")
    kubelet_socket: Path = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
    jobs_dir: Path = Field(
        default=Path("/run/reflexarc/jobs"), description="where Slurm's prolog notes jobs"
    )
    hpc_job_dir: Path | None = Field(default=None, description="DCGM exporter's job mapping files")
    job_env: dict[str, str] = Field(
        default_factory=dict,
        description="field of a job: variable of its processes that fills it; no other is read",
    )
    labels: dict[Label, Label] = Field(
        default_factory=dict, max_length=LABELS_MAX, description="rack, cluster, zone of the node"
    )
    thresholds: dict[str, float] = Field(
        default_factory=dict, description="limits of the rules on this node that differ"
    )
    metrics_file: Path | None = Field(
        default=None, description="the agent's own metrics, for node_exporter's textfile collector"
    )
    once: bool = False
    dry_run: bool = False

    @field_validator("labels", mode="before")
    @classmethod
    def _labels_from_pairs(cls, value: object) -> object:
        """Read flags as well: rack=r12."""
        if not isinstance(value, list | tuple):
            return value
        pairs = [str(each).partition("=") for each in value]
        if wrong := [name for name, equals, _ in pairs if not name or not equals]:
            raise ValueError(f"write a label as name=value, not {', '.join(map(repr, wrong))}")
        return {name: text for name, _, text in pairs}

    @field_validator("nvml", mode="before")
    @classmethod
    def _nvml_from_yaml(cls, value: object) -> object:
        """Read YAML's off, which is a boolean, as it was meant."""
        return {True: "auto", False: "off"}[value] if isinstance(value, bool) else value

    @classmethod
    def combine(cls, file: Path | None, given: Mapping[str, Any], *, hostname: str) -> Self:
        """Return the file's settings, overridden by those given; Rejected names each error.

        A value of None or False, or an empty list, was not given.
        """
        kept = {name: value for name, value in given.items() if value not in (None, False, [])}
        try:
            settings = cls.model_validate({"node": hostname, **_from_file(file), **kept})
        except ValidationError as error:
            problems = "; ".join(problems_of(error, "settings"))
            raise Rejected(f"the agent's settings are wrong: {problems}") from error
        settings.check_queues()
        return settings

    def check_queues(self) -> None:
        """Raise Rejected when it is not said where to send to."""
        if self.dry_run:
            return
        self.check_sink()
        if self.second is not None:
            self.second.check_sink("second: ")

    @property
    def start_at(self) -> Literal["resume", "start", "end"]:
        """Return where reading begins: `--once` means the whole source unless it says otherwise."""
        return self.start or ("start" if self.once else "resume")


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    import yaml  # noqa: PLC0415 - a node that is set up by its environment carries none of it

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Rejected(f"cannot read the configuration {path}: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise Rejected(f"the configuration {path} must be a mapping of settings to values")
    return document
