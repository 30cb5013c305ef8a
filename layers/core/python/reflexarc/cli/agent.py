"""`reflexarc agent`: run the edge agent in the foreground."""

import json
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from reflexarc.agent.compose import compose
from reflexarc.agent.footprint import begin_small
from reflexarc.agent.log import AgentLog
from reflexarc.agent.service import Agent, Outcome, Unreadable
from reflexarc.agent.settings import AgentSettings
from reflexarc.cli import agent_options as options
from reflexarc.kernel.errors import Rejected

BAD_SETTINGS = 2
NOT_DELIVERED = 3
NOT_READABLE = 4


agent_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@agent_app.callback(invoke_without_command=True)
def agent(
    ctx: typer.Context,
    *,
    config: options.Config = None,
    node: options.Node = None,
    faults_queue_url: options.FaultsQueue = None,
    readings_queue_url: options.ReadingsQueue = None,
    https_url: options.HttpsUrl = None,
    https_auth: options.HttpsAuth = None,
    token_file: options.TokenFile = None,
    region: options.Region = None,
    endpoint_url: options.Endpoint = None,
    source: options.Sources = None,
    start: options.Start = None,
    spool_dir: options.SpoolDir = None,
    spool_max_mb: options.SpoolMax = None,
    heartbeat_s: options.HeartbeatSeconds = None,
    drain_s: options.DrainSeconds = None,
    allow_userspace_kmsg: options.Userspace = None,
    log_level: options.LogLevel = None,
    label: options.Labels = None,
    no_nvml: options.NoNvml = None,
    dcgm_url: options.DcgmUrl = None,
    sys_dir: options.SysDir = None,
    proc_dir: options.ProcDir = None,
    jobs_dir: options.JobsDir = None,
    hpc_job_dir: options.HpcJobDir = None,
    metrics_file: options.MetricsFile = None,
    once: options.Once = False,
    dry_run: options.DryRun = False,
    json_: options.Json = False,
) -> None:
    """Watch this node's kernel log and its GPUs, and send faults the moment they are seen.

    Settings come from flags, then REFLEXARC_* variables, then the --config file.

    See what it would see here: reflexarc agent check

    Try it without AWS: reflexarc agent --dry-run --once --source file:/var/log/kern.log

    Exit codes: 0 everything was delivered, or is on disk for the next start; 2 the settings are
    wrong; 3 something was not delivered (--once) or is lost; 4 a source cannot be read.
    """
    given = dict(locals())
    for name in ("ctx", "config", "json_"):
        del given[name]
    given["sources"] = given.pop("source")
    given["labels"] = given.pop("label")
    given["nvml"] = "off" if given.pop("no_nvml") else None
    if ctx.invoked_subcommand is not None:
        ctx.obj = Given(config, given)
        return
    _run_or_say(config, given, everything=json_)


@agent_app.command()
def check(
    ctx: typer.Context,
    *,
    config: options.Config = None,
    send: Annotated[bool, typer.Option("--send", help="Really send one heartbeat.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Show what an agent sees on this node, what it would send, where, and with which identity.

    Nothing is sent without --send, and the spool of a running agent is left alone.

    Exit codes: 0 all is well; 1 it would run, and something is missing; 2 it could not run.
    """
    from reflexarc.cli.agent_check import check as look  # noqa: PLC0415 - the agent needs none of it

    given = ctx.obj
    raise typer.Exit(look(config or given.config, given.values, send=send, as_json=json_))


@dataclass(frozen=True, slots=True)
class Given:
    """What stood on the command line before `check`."""

    config: Path | None
    values: Mapping[str, Any]


def _run_or_say(config: Path | None, given: Mapping[str, Any], *, everything: bool) -> None:
    try:
        settings = AgentSettings.combine(config, given, hostname=socket.gethostname())
        if not settings.dry_run:
            _run(settings, everything=everything)
            return
        with tempfile.TemporaryDirectory(prefix="reflexarc-dry-run-") as scratch:
            _run(settings.model_copy(update={"spool_dir": Path(scratch)}), everything=everything)
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
    begin_small()
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
