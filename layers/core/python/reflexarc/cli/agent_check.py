"""`reflexarc agent check`: what this node shows, and what an agent would send, where, as whom."""

import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reflexarc.adapters.http.reach import reach
from reflexarc.adapters.sqs.identity import identity
from reflexarc.agent.checking import (
    Item,
    Seen,
    exit_code,
    guarded,
    look,
    node_items,
    sensor_items,
    settings_items,
    source_items,
    spool_items,
    usable,
)
from reflexarc.agent.compose import source_of
from reflexarc.agent.log import AgentLog
from reflexarc.agent.packing import Packed, pack_readings
from reflexarc.agent.settings import AgentSettings
from reflexarc.agent.sink import queues_of
from reflexarc.events.gpu_readings import Heartbeat
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import ReflexError, Rejected, Unavailable
from reflexarc.kernel.ids import new_ulid

BAD_SETTINGS = 2
# SQS refuses signatures of clocks that are five minutes off; the cloud corrects up to then.
_SKEW_SECONDS = 60.0
_TITLES = {
    "see": "What can be seen here",
    "send": "What would be sent",
    "where": "Where to",
    "who": "With which identity",
    "keep": "What is kept here",
    "settings": "Settings that are not the defaults",
}
_MARKS = {"ok": ("ok", "green"), "note": ("-", "dim"), "warn": ("!", "bold yellow")}
_BAD = ("x", "bold red")
_NAME_WIDTH = 16


def check(config: Path | None, given: Mapping[str, Any], *, send: bool, as_json: bool) -> int:
    """Look at everything an agent needs, tell it, and return the exit code."""
    try:
        # Dry, so that a node whose queues are not known yet can be looked at as well.
        settings = AgentSettings.combine(
            config, {**given, "dry_run": True}, hostname=socket.gethostname()
        )
    except Rejected as error:
        typer.echo(f"reflexarc agent check: {error}", err=True)
        return BAD_SETTINGS
    items, message = _look(settings, send=send)
    if as_json:
        shown = {
            "exit_code": exit_code(items),
            "items": [asdict(item) for item in items],
            "message": json.loads(message.stamped(system_clock())),
        }
        typer.echo(json.dumps(shown, indent=2))
    else:
        show(items, Console(emoji=False))
    return exit_code(items)


def show(items: Sequence[Item], console: Console) -> None:
    """Print what was found, part by part, with advice below what needs it."""
    for part, title in _TITLES.items():
        found = [item for item in items if item.part == part]
        if not found:
            continue
        console.print(Text(title, style="bold"))
        table = Table.grid(padding=(0, 1))
        table.add_column(width=2, justify="right")
        table.add_column(width=_NAME_WIDTH, overflow="fold")
        table.add_column(overflow="fold")
        for item in found:
            mark, style = _MARKS.get(item.status, _BAD)
            says = Text(item.says)
            if item.advice:
                says.append(f"\n-> {item.advice}", style="italic")
            table.add_row(Text(mark, style=style), Text(item.name), says)
        console.print(table)
        console.print()
    console.print(Text(_verdict(items), style="bold"))


def _look(settings: AgentSettings, *, send: bool) -> tuple[list[Item], Packed]:
    log = AgentLog("error")
    items = guarded("see", "node", node_items)
    items += guarded("see", "logs", lambda: source_items(settings))
    seen = look(settings, log)
    items += guarded("see", "sensors", lambda: sensor_items(seen))
    if nothing := usable(settings, items, seen):
        items.append(nothing)
    message = _message(settings, seen)
    items.append(_size(message, seen))
    items += guarded("where", "queues", lambda: _where(settings))
    items += guarded("who", "credentials", lambda: _who(settings))
    items += guarded("keep", "spool", lambda: spool_items(settings))
    if send:
        items += guarded("where", "heartbeat", lambda: _sent(settings, message, log))
    items += settings_items(settings)
    return items, message


def _message(settings: AgentSettings, seen: Seen) -> Packed:
    heartbeat = Heartbeat(started_at=system_clock())
    # Number 0 stands before all numbers of a running agent, so that nothing of it seems lost.
    mint = lambda: (new_ulid(system_clock()), 0)  # noqa: E731 - as short as it is
    return pack_readings(heartbeat, source_of(settings), mint, seen.window, seen.reports)


def _size(message: Packed, seen: Seen) -> Item:
    says = (
        f"a heartbeat of {len(message.text) / 1024:.1f} KiB a minute: {len(seen.window.gpus)} GPUs,"
        f" {len(seen.window.ports)} ports; and each fault at once (--json shows the message)"
    )
    return Item(part="send", name="readings", status="ok", says=says)


def _where(settings: AgentSettings) -> Iterator[Item]:
    try:
        settings.model_copy(update={"dry_run": False}).check_queues()
    except Rejected as error:
        yield Item(part="where", name="queues", status="bad", says=str(error))
        return
    urls = [settings.https_url] if settings.https_url else _queue_urls(settings)
    for name, url in zip(("faults", "readings"), urls, strict=False):
        yield Item(part="where", name=name, status="ok", says=url)
    for endpoint in dict.fromkeys(settings.endpoint_url or url for url in urls):
        yield from _reached(endpoint)
    yield Item(
        part="where",
        name="permission",
        status="note",
        says="only a message shows whether sending is allowed: --send really sends a heartbeat",
    )


def _queue_urls(settings: AgentSettings) -> list[str]:
    return [settings.faults_queue_url, settings.readings_queue_url]


def _reached(url: str) -> Iterator[Item]:
    try:
        reached = reach(url)
    except Unavailable as error:
        yield Item(part="where", name="endpoint", status="bad", says=str(error))
        return
    says = f"answers in {reached.milliseconds:.0f} ms"
    yield Item(part="where", name="endpoint", status="ok", says=says)
    if reached.skew_s is None:
        return
    off = abs(reached.skew_s) > _SKEW_SECONDS
    yield Item(
        part="where",
        name="clock",
        status="warn" if off else "ok",
        says=f"{reached.skew_s:+.0f} s against the endpoint's",
        advice="set this node's clock: chronyc makestep" if off else "",
    )


def _who(settings: AgentSettings) -> Iterator[Item]:
    if settings.token_file is not None:
        with settings.token_file.open("rb"):
            says = f"the token in {settings.token_file}"
        yield Item(part="who", name="token", status="ok", says=says)
        return
    found = identity()
    until = ""
    if found.expires_at is not None:
        left = (found.expires_at - datetime.now(UTC)).total_seconds()
        until = f", for {left / 60:.0f} more minutes (renewed before)"
    yield Item(
        part="who",
        name="credentials",
        status="ok",
        says=f"from {found.method}, key id ending in {found.key_ends}{until}",
    )


def _sent(settings: AgentSettings, message: Packed, log: AgentLog) -> Iterator[Item]:
    queue = queues_of(settings, None, log)["readings"]
    begun = time.monotonic()
    try:
        problems = queue.send([(message.id, message.stamped(system_clock()))])
        if problem := problems.get(message.id):
            raise problem
    except ReflexError as error:
        yield Item(part="where", name="heartbeat", status="bad", says=str(error))
        return
    took = (time.monotonic() - begun) * 1000
    yield Item(
        part="where", name="heartbeat", status="ok", says=f"sent and accepted in {took:.0f} ms"
    )


def _verdict(items: Sequence[Item]) -> str:
    return {
        0: "An agent would run here and see everything it looks for.",
        1: "An agent would run here; what is marked ! would be missing.",
        2: "An agent could not do its work here: see what is marked x.",
    }[exit_code(items)]
