"""`reflexarc rules list`: the rules in force, who answers for them, and what they save."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from reflexarc.cli.amounts import compact, dollars, share, size_of
from reflexarc.cli.rules_preview_screen import action_of
from reflexarc.cli.rules_stack import telemetry_of
from reflexarc.cli.stack import AsJson, EndpointUrl, StackName
from reflexarc.cli.terminal import console
from reflexarc.runtime.telemetry_config import parse
from reflexarc.telemetry.accounting import REST
from reflexarc.telemetry.history import DAY, WEEK, Span, Sum, history
from reflexarc.telemetry.rules import Rule

_WIDE = 118
_BAR = 10
# From then on somebody has to decide whether a rule goes on.
_SOON = 14
_TAKING = {"drop", "sample", "aggregate"}


class Sort(StrEnum):
    """In which order rules are listed."""

    ASKED = "asked"
    SAVED = "saved"
    EXPIRES = "expires"


@dataclass(frozen=True, slots=True)
class _Listed:
    """The rules in force and what they did."""

    version: int
    rules: Sequence[Rule]
    past: Mapping[timedelta, Span]
    today: date

    def state(self, rule: Rule) -> str:
        """Return whether a rule is live, in shadow or expired."""
        if not rule.in_force(self.today):
            return "expired"
        return "shadow" if rule.shadow else "live"

    def sorted_by(self, sort: Sort) -> list[Rule]:
        """Return the rules in an order."""
        asked = sorted(self.rules, key=lambda rule: rule.priority)
        if sort is Sort.EXPIRES:
            return sorted(asked, key=lambda rule: rule.expires)
        if sort is Sort.SAVED:
            return sorted(asked, key=lambda rule: -self.past[WEEK].of(rule.name).numbers["size"])
        return asked


def list_rules(
    *,
    sort: Annotated[Sort, typer.Option(help="Which first.")] = Sort.ASKED,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the rules in force: whose they are, until when, and what they saved.

    SAVED is in bytes of protobuf, before it is packed. A rule in shadow saves nothing yet: what it
    would remove is told instead.
    """
    with telemetry_of(stack, endpoint) as deployed:
        now = deployed.now()
        version, text = deployed.documents.live() or (0, "{}")
        config = parse(text)
        rows = list(deployed.accounts.rows(now - WEEK, now))
    past = history(rows, config.backends, now)
    listed = _Listed(version, config.rules, past, now.astimezone(UTC).date())
    if as_json:
        for rule in listed.sorted_by(sort):
            typer.echo(json.dumps(_facts(rule, listed)))
        return
    if not listed.rules:
        typer.echo("No rules: everything is kept.")
        return
    out = console()
    out.print(_shown(listed, sort, out.width), highlight=False)


def _shown(listed: _Listed, sort: Sort, width: int) -> Group:
    wide = width >= _WIDE
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("RULE", overflow="fold")
    if wide:
        table.add_column("OWNER", overflow="fold")
    for name in ("ACTION", "STATE"):
        table.add_column(name, no_wrap=True)
    for name in ("EXPIRES", *(("GONE 24 H",) if wide else ()), "GONE 7 D", "SAVED 7 D", "$ 7 D"):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("", no_wrap=True)
    most = max((each.numbers["size"] for each in listed.past[WEEK].rules.values()), default=0)
    for rule in listed.sorted_by(sort):
        table.add_row(*_cells(rule, listed, most, wide=wide))
    return Group(table, "", *_below(listed))


def _cells(rule: Rule, listed: _Listed, most: int, *, wide: bool) -> list[str]:
    week = listed.past[WEEK].of(rule.name)
    name, owner = escape(rule.name), f"[dim]{escape(rule.owner)}[/]"
    cells = [name, owner] if wide else [f"{name}\n{owner}"]
    state = listed.state(rule)
    colours = {"live": "green", "shadow": "yellow", "expired": "red"}
    cells += [action_of(rule), f"[{colours[state]}]{state}[/]", _expiry(rule, listed.today)]
    if wide:
        cells.append(_gone(rule, listed.past[DAY].of(rule.name), wide=wide))
    cells.append(_gone(rule, week, wide=wide))
    size = week.numbers["size"]
    cells += [size_of(size) if size else "-", dollars(week.usd) if size else "-"]
    if wide:
        cells.append(f"[green]{'█' * round(_BAR * size / most) if most else ''}[/]")
    return cells


def _gone(rule: Rule, found: Sum, *, wide: bool) -> str:
    """Return how many items went by a rule, or would have gone."""
    written = "{:,}".format if wide else compact
    if rule.action not in _TAKING:
        return "-"
    if rule.shadow and found.numbers["shadowed"]:
        return f"[yellow]({written(found.numbers['shadowed'])})[/]"
    removed = found.numbers["removed"]
    return written(removed) if removed else "-"


def _expiry(rule: Rule, today: date) -> str:
    days = (rule.expires - today).days
    if days < 0:
        return f"[red]{-days} d ago[/]"
    text = "today" if days == 0 else f"{days} d"
    return f"[yellow]{text}[/]" if days <= _SOON else text


def _below(listed: _Listed) -> list[RenderableType]:
    """Return what all rules came to, and what somebody should look at."""
    week = listed.past[WEEK]
    states = [listed.state(rule) for rule in listed.rules]
    counts = ", ".join(
        f"{states.count(state)} {what}"
        for state, what in (("live", "live"), ("shadow", "in shadow"), ("expired", "expired"))
        if state in states
    )
    lines: list[RenderableType] = [f"Version {listed.version}, {counts}."]
    if week.received:
        gone = week.received - week.kept
        size = sum(each.numbers["size"] for each in week.rules.values())
        lines.append(
            f"In 7 days {week.received:,} items came, {gone:,} went"
            f" ([bold]{share(gone, week.received)}[/]), {size_of(size)} saved"
            f" of {size_of(week.received_size)}."
        )
    if "shadow" in states:
        lines.append("[dim]In brackets: what a rule in shadow would have removed.[/]")
    errors = Counter({name: each.numbers["errors"] for name, each in week.rules.items()})
    for said, numbers in (
        ("[yellow]errors in conditions[/]", errors),
        ("kept by guards", week.guards),
        ("redacted", week.redacted),
    ):
        told = [f"{escape(name)} {each:,}" for name, each in numbers.most_common() if each]
        if told:
            lines.append(f"In 7 days {said}: {', '.join(told)}.")
    if (rest := week.rules.get(REST)) is not None:
        lines.append(f"{rest.numbers['removed']:,} items went by rules that were counted together.")
    return lines


def _facts(rule: Rule, listed: _Listed) -> dict[str, object]:
    return {
        "rule": rule.name,
        "version": listed.version,
        "action": rule.action,
        "state": listed.state(rule),
        "priority": rule.priority,
        "owner": rule.owner,
        "reason": rule.reason,
        "expires": rule.expires.isoformat(),
        "expires_in_days": (rule.expires - listed.today).days,
    } | {
        name: _sum(listed.past[length].of(rule.name))
        for name, length in (("last_24_h", DAY), ("last_7_d", WEEK))
    }


def _sum(found: Sum) -> dict[str, object]:
    names = ("matched", "removed", "size", "emitted", "shadowed", "guarded", "errors")
    return {name: found.numbers[name] for name in names} | {
        "usd": None if found.usd is None else str(found.usd)
    }
