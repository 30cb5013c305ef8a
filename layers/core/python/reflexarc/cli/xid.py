"""`reflexarc xid`: what a kernel line says, and what a code means."""

import io
import json
import sys
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from reflexarc.gpu.explain import explain as facts_about
from reflexarc.gpu.lines import EventLines
from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.parse import NOTHING, parse

UNKNOWN_CODE = 1
STDIN = Path("-")

xid_app = typer.Typer(no_args_is_help=True, help="Read NVIDIA fault lines and explain their codes.")

_STYLES = {"critical": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_KEYS = tuple(f'"{name}": ' for name in FaultLine._fields)


def _readable(file: Path) -> Path:
    """Refuse a missing file before anything is printed; typer's own check refuses `-` as well."""
    if file != STDIN and (file.is_dir() or not file.exists()):
        raise typer.BadParameter(f"there is no file {file}")
    return file


@xid_app.command("parse")
def parse_lines(
    file: Annotated[
        Path,
        typer.Argument(
            callback=_readable,
            help="A log; - reads standard input.",
        ),
    ] = STDIN,
) -> None:
    """Print one JSON object for each line of a log, in order.

    `kind` is xid, sxid, lost ("fallen off the bus" without an Xid) or none; `suspicious` marks a
    none that looks like an Xid or SXid. What a line does not say is null. Every line is answered at
    once; bytes that are no UTF-8 are replaced.
    """
    out = sys.stdout  # the terminal's own stream: typer's wrapper takes five times as long a line
    for answer, is_fault in answers(_lines(file)):
        out.write(answer + "\n")
        if is_fault:
            out.flush()


@xid_app.command()
def explain(
    code: Annotated[int, typer.Argument(min=0, help="The number after the address, such as 79.")],
    *,
    sxid: Annotated[bool, typer.Option("--sxid", help="The code is an NVSwitch's SXid.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell what a code means, whose fault it likely is, what to do, and what other tools do.

    Exits with 1 for a code that is not in the catalogue, after telling what would happen to it.
    """
    facts = facts_about("sxid" if sxid else "xid", code)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        console = Console(emoji=False)
        console.print(shown(facts))
        for source in facts.get("sources", ()):  # unwrapped, so that an address can be copied
            line = Text(f"{source['title']}: {source['url']}", style="dim")
            console.print(line, soft_wrap=True)
    if not facts["known"]:
        raise typer.Exit(UNKNOWN_CODE)


def _lines(file: Path) -> Iterator[str]:
    """Yield the lines of a file; only a newline ends one, as in the kernel's log."""
    if file == STDIN:
        with io.TextIOWrapper(
            typer.get_binary_stream("stdin"), encoding="utf-8", errors="replace", newline="\n"
        ) as lines:
            yield from (line.removesuffix("\n") for line in lines)
        return
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        yield from (line.removesuffix("\n") for line in lines)


def answers(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield for each line its JSON object, and whether it reports a fault or looks like one."""
    feed = EventLines().feed
    nothing = _fields(NOTHING)
    for line in lines:
        fault = parse(feed(line))
        if fault is NOTHING:
            yield f'{{"line": {quoted(line)}, {nothing}}}', False
        else:
            yield f'{{"line": {quoted(line)}, {_fields(fault)}}}', True


def _fields(fault: FaultLine) -> str:
    """Return the fields as JSON without its braces; three times as fast as an encoder of dicts."""
    return ", ".join(
        [
            key + ("null" if value is None else _json(value))
            for key, value in zip(_KEYS, fault, strict=True)
        ]
    )


def _json(value: str | int) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else str(value)


def shown(facts: dict[str, Any]) -> RenderableType:
    """Return the facts about a code as a person reads them, the answer first."""
    name = "SXid" if facts["kind"] == "sxid" else "Xid"
    style = _STYLES[facts["severity"]]
    title = facts["title"] if facts["known"] else "not in the catalogue of this version"
    head = Text(f"{name} {facts['code']}  ", style="bold").append(title, style=style)
    main = _grid()
    _row(main, "What it means", facts["meaning"])
    if facts["known"]:
        _row(main, "Likely fault of", facts["likely_fault"])
    _row(main, "What happens", f"{facts['severity']}: {facts['effect']}", style)
    _row(main, "Who hears it", "the job's owner" if facts["owner"] == "job" else "the on-call")
    _row(main, "What to do", facts["action"], "bold")
    parts: list[RenderableType] = [Panel(main, title=head, title_align="left", border_style=style)]
    if facts["known"]:
        parts.append(_background(facts))
    if "recovery_actions" in facts:
        parts.append(_recovery_table(facts["recovery_actions"]))
    if "nvlink5_rules" in facts:
        parts.append(_rules_table(facts["nvlink5_rules"]))
    return Group(*parts)


def _background(facts: dict[str, Any]) -> RenderableType:
    grid = _grid()
    for caveat in facts["caveats"]:
        _row(grid, "Mind", caveat)
    if "gpu_usable" in facts:
        _row(grid, "GPU usable", facts["gpu_usable"])
    _row(grid, "NVIDIA says", _nvidia(facts["nvidia"]))
    for peer, words in facts["peers"].items():
        _row(grid, peer, words)
    _row(grid, "Name", facts["name"])
    return Panel(grid, title="Background", title_align="left", border_style="dim")


def _nvidia(advice: dict[str, Any] | None) -> str:
    if advice is None:
        return "nothing published"
    if "now" in advice:
        text = f"at first: {advice['now']}"
        if advice["later"]:
            text += f"; then: {advice['later']}"
        if advice["announced_by_154_since"]:
            text += f"; Xid 154 announces the action since {advice['announced_by_154_since']}"
        return text
    known = [f"{part}: {advice[part]}" for part in ("guide", "driver") if advice[part]]
    return "; ".join(known) or "nothing published"


def _recovery_table(actions: list[dict[str, Any]]) -> RenderableType:
    table = Table(title="The number after `to` decides, not the words", title_justify="left")
    for column in ("to", "Asks for", "Printed as", "What to do"):
        table.add_column(column, overflow="fold")
    for action in actions:
        words = ", ".join(action["printed_as"]) or "(not seen yet)"
        table.add_row(action["code"], action["title"], words, Text(action["action"]))
    return table


def _rules_table(rules: list[dict[str, Any]]) -> RenderableType:
    """Show rules that ask for the same in one row, so that the table is short enough to read."""
    same: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for rule in rules:
        key = (rule["unit"], rule["word"], rule["now"], rule["afterwards"])
        same.setdefault(key, []).append(rule)
    table = Table(
        title="NVIDIA's table: unit, then second register or link-down reason",
        title_justify="left",
        show_lines=True,
    )
    for column in ("Unit", "Status or reason", "Word", "At first", "Afterwards"):
        table.add_column(column, overflow="fold")
    for (unit, word, now, afterwards), group in same.items():
        reasons = [str(rule["link_down_reason"]) for rule in group]
        statuses = [status for rule in group for status in rule["status"]]
        which = ", ".join(statuses) or (f"reason {', '.join(reasons)}" if "LINK" in unit else "any")
        table.add_row(unit.replace("/", "\n"), which, word, now, afterwards)
    return table


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True, max_width=26)
    grid.add_column(overflow="fold")
    return grid


def _row(grid: Table, label: str, value: str, style: str = "") -> None:
    # Text, never markup: catalogue and lines may hold brackets.
    grid.add_row(Text(label), Text(value, style=style))
