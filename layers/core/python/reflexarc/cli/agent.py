"""`reflexarc agent`: run the edge agent in the foreground."""

import json
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from reflexarc.agent.compose import compose
from reflexarc.agent.log import AgentLog
from reflexarc.agent.service import Agent, Outcome, Unreadable
from reflexarc.agent.settings import AgentSettings
from reflexarc.kernel.errors import Rejected

BAD_SETTINGS = 2
NOT_DELIVERED = 3
NOT_READABLE = 4


def _option(name: str, says: str, *flags: str) -> Any:
    return typer.Option(*flags, envvar=f"REFLEXARC_{name}", help=says, show_default=False)


Config = Annotated[Path | None, _option("CONFIG", "YAML file with any of these settings.")]
Node = Annotated[str | None, _option("NODE", "Name of this node. (default: its host name)")]
FaultsQueue = Annotated[
    str | None,
    _option("FAULTS_QUEUE_URL", "Where faults go: the stack's output GpuFaultsQueueUrl."),
]
ReadingsQueue = Annotated[
    str | None,
    _option("READINGS_QUEUE_URL", "Where heartbeats go: the stack's output GpuReadingsQueueUrl."),
]
Region = Annotated[str | None, _option("REGION", "AWS region. (default: the URL's)")]
Endpoint = Annotated[
    str | None,
    _option("ENDPOINT_URL", "Another SQS, such as an emulator. AWS_ENDPOINT_URL works too."),
]
Sources = Annotated[
    list[str] | None,
    _option("SOURCE", "kmsg, stdin or file:PATH; repeat it to read several. (default: kmsg)"),
]
Start = Annotated[
    str | None,
    _option(
        "START",
        "Where to begin: resume (where the last run stopped), start or end."
        " (default: resume; start with --once)",
    ),
]
SpoolDir = Annotated[
    Path | None,
    _option("SPOOL_DIR", "Keeps what is not delivered yet. (default: /var/lib/reflexarc/spool)"),
]
SpoolMax = Annotated[int | None, _option("SPOOL_MAX_MB", "Its largest size. (default: 64)")]
HeartbeatSeconds = Annotated[
    float | None, _option("HEARTBEAT_S", "Seconds between heartbeats. (default: 60)")
]
DrainSeconds = Annotated[
    float | None,
    _option("DRAIN_S", "Longest wait at the end until all is delivered. (default: 10)"),
]
Userspace = Annotated[
    bool | None,
    _option(
        "ALLOW_USERSPACE_KMSG",
        "For tests: believe fault lines that programs write to /dev/kmsg.",
        "--allow-userspace-kmsg",
    ),
]
LogLevel = Annotated[
    str | None, _option("LOG_LEVEL", "debug, info, warning or error. (default: info)")
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


def agent(
    *,
    config: Config = None,
    node: Node = None,
    faults_queue_url: FaultsQueue = None,
    readings_queue_url: ReadingsQueue = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    source: Sources = None,
    start: Start = None,
    spool_dir: SpoolDir = None,
    spool_max_mb: SpoolMax = None,
    heartbeat_s: HeartbeatSeconds = None,
    drain_s: DrainSeconds = None,
    allow_userspace_kmsg: Userspace = None,
    log_level: LogLevel = None,
    once: Once = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Watch this node's kernel log and send GPU faults the moment they are logged.

    Settings come from flags, then REFLEXARC_* variables, then the --config file.

    Try it without AWS: reflexarc agent --dry-run --once --source file:/var/log/kern.log

    Exit codes: 0 everything was delivered, or is on disk for the next start; 2 the settings are
    wrong; 3 something was not delivered (--once) or is lost; 4 a source cannot be read.
    """
    given = dict(locals())
    given["sources"] = given.pop("source")
    del given["config"], given["json_"]
    try:
        settings = AgentSettings.combine(config, given, hostname=socket.gethostname())
        if not settings.dry_run:
            _run(settings, everything=json_)
            return
        with tempfile.TemporaryDirectory(prefix="reflexarc-dry-run-") as scratch:
            _run(settings.model_copy(update={"spool_dir": Path(scratch)}), everything=json_)
    except Unreadable as error:
        _fail(f"{error}; run as root or grant CAP_SYSLOG to read /dev/kmsg", NOT_READABLE)
    except Rejected as error:
        _fail(str(error), BAD_SETTINGS)


class _Printer:
    """Writes events to standard output, one JSON object a line, from any thread."""

    def __init__(self, *, everything: bool, dry_run: bool) -> None:
        self._everything = everything
        self._dry_run = dry_run
        self._lock = threading.Lock()

    def __call__(self, event: str, facts: dict[str, Any]) -> None:
        if self._everything:
            text = json.dumps({"event": event, "at": datetime.now(UTC).isoformat(), **facts})
        elif self._dry_run and event == "would_send":
            text = json.dumps(facts["message"], indent=2)
        else:
            return
        with self._lock:
            typer.echo(text)


def _run(settings: AgentSettings, *, everything: bool) -> None:
    log = AgentLog(settings.log_level)
    emit = _Printer(everything=everything, dry_run=settings.dry_run)
    running = compose(settings, emit=emit, log=log)
    log.info("agent started", node=settings.node, sources=",".join(settings.sources))
    emit("started", {"node": settings.node, "sources": list(settings.sources)})
    with _stopped_by_signals(running):
        outcome = running.run()
    emit("stopped", {"waiting": outcome.waiting, "on_disk": outcome.on_disk})
    log.info("agent stopped", waiting=outcome.waiting)
    _judge(outcome, settings)


def _judge(outcome: Outcome, settings: AgentSettings) -> None:
    """Exit with NOT_DELIVERED when messages wait and nothing will come to send them."""
    if not outcome.waiting:
        return
    if not outcome.on_disk:
        _fail(f"{outcome.waiting} messages were not delivered and are lost", NOT_DELIVERED)
    if settings.once:
        _fail(
            f"{outcome.waiting} messages were not delivered; the next run sends them from"
            f" {settings.spool_dir}",
            NOT_DELIVERED,
        )


@contextmanager
def _stopped_by_signals(running: Agent) -> Iterator[None]:
    """Let it leave in good order at the first SIGTERM or SIGINT, and die at the second."""

    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        running.stop()

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"reflexarc agent: {message}", err=True)
    raise typer.Exit(code)
