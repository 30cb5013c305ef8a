"""`reflexarc gpus`: every GPU of the fleet as its node last told, and what was wasted today."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from reflexarc.cli.stack import FAILED, AsJson, EndpointUrl, StackName, deployment
from reflexarc.cli.terminal import console
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.fleet_usage import Waste, wasted
from reflexarc.gpu.fleet_view import Status, health_of, is_hot, status_of
from reflexarc.gpu.readings import GpuState

if TYPE_CHECKING:
    from reflexarc.adapters.dynamodb.fleet_list import KnownNode

_COLOURS = {
    "ok": "green", "warning": "yellow", "critical": "bold red", "lost": "bold red",
    "unknown": "dim",
}  # fmt: skip
_STATUS = {"live": "", "stale": " [yellow]stale[/]", "silent": " [bold red]silent[/]",
           "left": " [dim]left[/]"}  # fmt: skip
_COLUMNS = (
    "NODE", "GPU", "HEALTH", "TEMP", "MARGIN", "POWER", "USE", "JOB", "IDLE", "HELD IDLE",
    "COST", "HEARD",
)  # fmt: skip
# On a narrow terminal a number that is cut is none: what is not urgent is left out there.
_WIDE = 110
_NOT_URGENT = {"IDLE", "HELD IDLE", "COST"}
_HOUR_S, _MINUTE_S = 3_600, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One GPU of one node; a node on which none was read has a line without one."""

    node: "KnownNode"
    status: Status
    gpu: GpuState | None
    waste: Waste


def gpus(
    *,
    node: Annotated[str | None, typer.Option(help="One node alone.", show_default=False)] = None,
    hot: Annotated[
        bool, typer.Option("--hot", help="Only GPUs with a thermal finding or a margin up to 10 C.")
    ] = False,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List every GPU: health, heat, use, whose job, and what stood idle today (UTC).

    IDLE is the time with a utilization under 5 %; HELD IDLE is the part of it in which a job held
    the GPU, and COST its price by `gpu.hourly_usd` of the configuration. A node that was not heard
    for 90 s is stale, for 150 s silent: what it last said is no health then.
    """
    with deployment(stack, endpoint) as deployed:
        if deployed.fleet is None:
            typer.echo(f"reflexarc: stack {stack} keeps no fleet: deploy this version", err=True)
            raise typer.Exit(FAILED)
        now = deployed.now()
        listing = deployed.fleet.nodes(now.astimezone(UTC).date(), node)
        policy = deployed.gpu_policy()
    for problem in listing.unreadable:
        typer.echo(f"reflexarc: {problem}", err=True)
    lines = [
        line
        for line in _lines(listing.nodes, policy, now)
        if not hot or (line.gpu is not None and is_hot(line.gpu))
    ]
    if as_json:
        for line in lines:
            typer.echo(json.dumps(_as_json(line, now)))
    elif not lines:
        typer.echo(_nothing(node, hot=hot))
    else:
        out = console()
        wide = out.width >= _WIDE
        out.print(_table(lines, now, wide=wide))
        out.print(_summary(lines))
        if not wide:
            out.print(f"What stood idle is shown from {_WIDE} columns on, and by --json.")


def _lines(nodes: Iterable["KnownNode"], policy: GpuPolicy, now: datetime) -> Iterator[_Line]:
    for node in nodes:
        status = status_of(node.state, now)
        for gpu in node.state.gpus or (None,):
            hours = [hour for hour in node.hours if gpu and hour.device == gpu.device]
            waste = wasted(hours, now.astimezone(UTC).date(), gpu.name if gpu else "", policy)
            yield _Line(node=node, status=status, gpu=gpu, waste=waste)


def _table(lines: list[_Line], now: datetime, *, wide: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    shown = [column for column in _COLUMNS if wide or column not in _NOT_URGENT]
    for column in shown:
        right = column in {"TEMP", "MARGIN", "POWER", "USE", "IDLE", "HELD IDLE", "COST"}
        folds = column in {"NODE", "GPU", "JOB"}
        table.add_column(
            column, justify="right" if right else "left", no_wrap=not folds, overflow="fold"
        )
    for line in lines:
        heard = f"{_span((now - line.node.state.queued_at).total_seconds())}{_STATUS[line.status]}"
        cells = (escape(line.node.state.node), *_cells(line), heard)
        named = zip(_COLUMNS, cells, strict=True)
        table.add_row(*(cell for column, cell in named if column in shown))
    return table


def _cells(line: _Line) -> list[str]:
    gpu = line.gpu
    if gpu is None:
        return ["none read", *[""] * (len(_COLUMNS) - 3)]
    health = health_of(gpu, line.status)
    name = gpu.device if gpu.index is None else f"{gpu.index} {gpu.device}"
    job = gpu.job
    parts = (job.owner, job.name or job.id, "(ended)" if job.ended else "") if job else ()
    return [
        escape(name),
        f"[{_COLOURS[health]}]{health}[/]",
        _number(gpu.temperature_c, "C"),
        _number(gpu.margin_c, "C"),
        _number(gpu.power_w, "W"),
        _number(gpu.utilization, "%"),
        escape(" ".join(part for part in parts if part)),
        _span(line.waste.idle_s),
        _span(line.waste.allocated_idle_s),
        _cost(line.waste),
    ]


def _summary(lines: list[_Line]) -> str:
    gpus = [line for line in lines if line.gpu is not None]
    away = {line.node.state.node for line in lines if line.status in {"stale", "silent"}}
    held = [line.waste for line in gpus if line.waste.allocated_idle_s]
    nodes = len({line.node.state.node for line in lines})
    priced = [waste.dollars for waste in held if waste.dollars is not None]
    parts = [
        f"{_many(len(gpus), 'GPU')} on {_many(nodes, 'node')}",
        f"{sum(1 for line in gpus if line.gpu and is_hot(line.gpu))} hot",
        f"{_many(len(away), 'node')} stale or silent" if away else "",
        f"held idle today: {_span(sum(waste.allocated_idle_s for waste in held))}" if held else "",
        f"${sum(priced):,.2f}" if priced else "",
        f"{len(held) - len(priced)} of them unpriced" if len(held) > len(priced) else "",
    ]
    return "\n" + ", ".join(part for part in parts if part)


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _nothing(node: str | None, *, hot: bool) -> str:
    if hot:
        return "No GPU is hot."
    return f"Nothing was heard of {node}." if node else "No node was heard within a week."


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f} {unit}"


def _span(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.1f} h"


def _cost(waste: Waste) -> str:
    if not waste.allocated_idle_s:
        return "-"
    return "unpriced" if waste.dollars is None else f"${waste.dollars:,.2f}"


def _as_json(line: _Line, now: datetime) -> dict[str, object]:
    gpu, state, waste = line.gpu, line.node.state, line.waste
    return {
        "node": state.node,
        "labels": state.labels,
        "status": line.status,
        "age_s": round((now - state.queued_at).total_seconds(), 1),
        "readings_lost": line.node.lost,
        "health": health_of(gpu, line.status) if gpu else "unknown",
        "gpu": gpu.model_dump(mode="json") if gpu else None,
        "today": {
            "observed_s": waste.observed_s,
            "idle_s": waste.idle_s,
            "allocated_idle_s": waste.allocated_idle_s,
            "usd": None if waste.dollars is None else str(waste.dollars),
        },
    }
