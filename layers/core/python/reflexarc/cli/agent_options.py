"""The flags of `reflexarc agent`, and the variables that set them as well."""

from pathlib import Path
from typing import Annotated, Any

import typer


def option(name: str, says: str, *flags: str) -> Any:
    """Return an option that its variable REFLEXARC_`name` sets as well."""
    return typer.Option(*flags, envvar=f"REFLEXARC_{name}", help=says, show_default=False)


Config = Annotated[Path | None, option("CONFIG", "YAML file with any of these settings.")]
Node = Annotated[str | None, option("NODE", "Name of this node. (default: its host name)")]
FaultsQueue = Annotated[
    str | None,
    option("FAULTS_QUEUE_URL", "Where faults go: the stack's output GpuFaultsQueueUrl."),
]
ReadingsQueue = Annotated[
    str | None,
    option("READINGS_QUEUE_URL", "Where heartbeats go: the stack's output GpuReadingsQueueUrl."),
]
HttpsUrl = Annotated[
    str | None, option("HTTPS_URL", "Where both go by HTTPS instead: the stack's output IngestUrl.")
]
HttpsAuth = Annotated[
    str | None, option("HTTPS_AUTH", "iam or token, as the stack's IngestAuth. (default: iam)")
]
TokenFile = Annotated[
    Path | None, option("TOKEN_FILE", "Holds this node's bearer token, for --https-auth token.")
]
Region = Annotated[str | None, option("REGION", "AWS region. (default: the URL's)")]
Endpoint = Annotated[
    str | None,
    option("ENDPOINT_URL", "Another SQS, such as an emulator. AWS_ENDPOINT_URL works too."),
]
Sources = Annotated[
    list[str] | None,
    option("SOURCE", "kmsg, stdin or file:PATH; repeat it to read several. (default: kmsg)"),
]
Start = Annotated[
    str | None,
    option(
        "START",
        "Where to begin: resume (where the last run stopped), start or end."
        " (default: resume; start with --once)",
    ),
]
SpoolDir = Annotated[
    Path | None,
    option("SPOOL_DIR", "Keeps what is not delivered yet. (default: /var/lib/reflexarc/spool)"),
]
SpoolMax = Annotated[int | None, option("SPOOL_MAX_MB", "Its largest size. (default: 64)")]
HeartbeatSeconds = Annotated[
    float | None, option("HEARTBEAT_S", "Seconds between heartbeats. (default: 60)")
]
DrainSeconds = Annotated[
    float | None,
    option("DRAIN_S", "Longest wait at the end until all is delivered. (default: 10)"),
]
Userspace = Annotated[
    bool | None,
    option(
        "ALLOW_USERSPACE_KMSG",
        "For tests: believe fault lines that programs write to /dev/kmsg.",
        "--allow-userspace-kmsg",
    ),
]
Labels = Annotated[
    list[str] | None,
    option("LABEL", "What the node is part of, as in rack=r12; repeat it for several."),
]
NoNvml = Annotated[
    bool | None,
    option("NO_NVML", "Do not load NVML; read GPUs through --dcgm-url, or not.", "--no-nvml"),
]
DcgmUrl = Annotated[
    str | None,
    option("DCGM_URL", "A DCGM exporter to read, such as http://localhost:9400/metrics."),
]
SysDir = Annotated[
    Path | None, option("SYS_DIR", "The node's /sys, where a container has it elsewhere.")
]
ProcDir = Annotated[
    Path | None, option("PROC_DIR", "The node's /proc, where a container has it elsewhere.")
]
JobsDir = Annotated[
    Path | None,
    option("JOBS_DIR", "Where Slurm's prolog notes jobs. (default: /run/reflexarc/jobs)"),
]
HpcJobDir = Annotated[Path | None, option("HPC_JOB_DIR", "DCGM exporter's job mapping files.")]
MetricsFile = Annotated[
    Path | None,
    option("METRICS_FILE", "Write own metrics for node_exporter's textfile collector here."),
]
LogLevel = Annotated[
    str | None, option("LOG_LEVEL", "debug, info, warning or error. (default: info)")
]
Once = Annotated[
    bool, typer.Option("--once", help="Read each source to its end, send, say farewell, exit.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the messages instead of sending them.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print what is read and sent, one JSON object a line.")
]
