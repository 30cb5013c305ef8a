"""What an operator decides about an agent, wherever it is written: file, flag or environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from reflexarc.events.problems import problems_of
from reflexarc.kernel.errors import Rejected

SOURCE_PATTERN = r"^(kmsg|stdin|file:.+)$"


class AgentSettings(BaseModel):
    """One agent's settings; unknown names are refused, so that a typing error is found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: Annotated[str, StringConstraints(min_length=1, max_length=253, strip_whitespace=True)]
    faults_queue_url: str = Field(default="", description="where fault lines go")
    readings_queue_url: str = Field(default="", description="where heartbeats go")
    region: str | None = None
    endpoint_url: str | None = None
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
    once: bool = False
    dry_run: bool = False

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
        missing = {
            "--faults-queue-url": self.faults_queue_url,
            "--readings-queue-url": self.readings_queue_url,
        }
        if names := [name for name, url in missing.items() if not url]:
            raise Rejected(
                f"{' and '.join(names)} not set: take the URLs from the stack's outputs"
                " GpuFaultsQueueUrl and GpuReadingsQueueUrl, or look first with --dry-run"
            )

    @property
    def start_at(self) -> Literal["resume", "start", "end"]:
        """Return where reading begins: `--once` means the whole source unless it says otherwise."""
        return self.start or ("start" if self.once else "resume")


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Rejected(f"cannot read the configuration {path}: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise Rejected(f"the configuration {path} must be a mapping of settings to values")
    return document
