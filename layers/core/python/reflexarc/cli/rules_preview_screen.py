"""What `reflexarc rules preview` shows: a line a rule, what it takes for example, and the whole."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from reflexarc.cli.amounts import dollars, lasting, share, size_of
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.preview import Forecast, Preview
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.worth import SHORTEST, Worth

ITEMS: dict[OtlpSignal, str] = {"traces": "spans", "metrics": "data points", "logs": "log records"}
_COLOURS = {
    "drop": "red", "sample": "yellow", "aggregate": "cyan", "redact": "magenta", "keep": "green",
}  # fmt: skip
# On a narrow terminal a number that is cut is none: what is seldom there goes to lines below.
_WIDE, _NARROW = 116, 92
_COLUMNS = (
    "RULE", "ACTION", "OF", "MATCHED", "REMOVED", "SHARE", "BYTES", "A MONTH", "$/MONTH",
    "GUARDED", "ORPHANS", "ERRORS",
)  # fmt: skip
_LEFT = {"RULE", "ACTION", "OF"}
_WIDE_ONLY = {"A MONTH", "GUARDED", "ORPHANS", "ERRORS"}
_IDLE_SHOWN = 12


def action_of(rule: Rule) -> str:
    """Return what a rule does, in its colour."""
    percent = f" {rule.percent:g} %" if rule.percent else ""
    return f"[{_COLOURS[rule.action]}]{rule.action}[/]{percent}"


def shown(looked: Preview, worth: Worth, width: int) -> RenderableType:
    """Return the whole screen, for a terminal of so many columns."""
    if not looked.volumes:
        return "No telemetry was found there."
    forecasts = looked.forecasts()
    parts: list[RenderableType] = [_head(looked, worth), ""]
    if forecasts:
        parts.append(_table(forecasts, looked, worth, width))
        parts += _notes(forecasts, looked, wide=width >= _WIDE)
        parts += _examples(forecasts)
    if idle := looked.idle():
        names = ", ".join(rule.name for rule in idle[:_IDLE_SHOWN])
        more = f" and {len(idle) - _IDLE_SHOWN:,} more" if len(idle) > _IDLE_SHOWN else ""
        parts += ["", f"[dim]nothing met {escape(names)}{more}[/]"]
    parts += ["", *_doubts(looked, worth)]
    return Group(*parts)


def facts(looked: Preview, worth: Worth) -> dict[str, object]:
    """Return the same for machines."""
    return {
        "window_s": looked.window.total_seconds() if looked.window else None,
        "signals": {
            signal: {
                "requests": volume.batches,
                "received": volume.received,
                "received_bytes": volume.received_size,
                "kept": volume.received - volume.removed,
                "removed": volume.removed,
                "removed_bytes": volume.removed_size,
                "invalid": volume.invalid,
            }
            for signal, volume in looked.volumes.items()
        },
        "rules": [_facts(each, worth) for each in looked.forecasts()],
        "met_nothing": [rule.name for rule in looked.idle()],
        "guards": dict(looked.guards),
        "not_aggregated": dict(looked.refusals),
        "redacted": dict(looked.redacted),
    }


def _facts(each: Forecast, worth: Worth) -> dict[str, object]:
    usd = worth.usd_a_month(each.signal, each.size)
    return {
        "rule": each.rule.name,
        "signal": each.signal,
        "action": each.rule.action,
        "shadow": each.rule.shadow,
        "matched": each.matched,
        "removed": each.removed,
        "bytes": each.size,
        "bytes_a_month": worth.bytes_a_month(each.size),
        "usd_a_month": None if usd is None else str(usd),
        "guarded": each.guarded,
        "errors": each.errors,
        "orphans": each.orphans,
        "events": each.events,
        "written_instead": each.emitted,
        "examples": each.examples,
    }


def _head(looked: Preview, worth: Worth) -> Table:
    """Return what was looked at, and how much of it would stay."""
    over = f"over {lasting(worth.window)}" if worth.window else ""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(over)
    for name in ("CAME", "REQUESTS", "BYTES", "A MONTH", "$/MONTH", "STAY", "GO", "SHARE"):
        table.add_column(name, justify="right", no_wrap=True)
    for signal, volume in looked.volumes.items():
        table.add_row(
            ITEMS[signal],
            f"{volume.received:,}",
            f"{volume.batches:,}",
            size_of(volume.received_size),
            size_of(worth.bytes_a_month(volume.received_size)),
            dollars(worth.usd_a_month(signal, volume.received_size)),
            f"[green]{volume.received - volume.removed:,}[/]",
            f"{volume.removed:,}",
            share(volume.removed, volume.received),
        )
    return table


def _table(forecasts: Sequence[Forecast], looked: Preview, worth: Worth, width: int) -> Table:
    """Return a line a rule; on a narrow terminal without what is seldom there."""
    left_out = set() if len(looked.volumes) > 1 else {"OF"}
    left_out |= _WIDE_ONLY if width < _WIDE else set()
    left_out |= {"MATCHED"} if width < _NARROW else set()
    shown_names = [name for name in _COLUMNS if name not in left_out]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in shown_names:
        justify: Literal["left", "right"] = "left" if name in _LEFT else "right"
        table.add_column(name, justify=justify, no_wrap=name != "RULE", overflow="fold")
    for each in forecasts:
        cells = _cells(each, looked, worth)
        table.add_row(*(cells.get(name, "") for name in shown_names))
    table.add_row()
    total = _total(forecasts, looked, worth)
    table.add_row(*(total.get(name, "") for name in shown_names), style="bold")
    return table


def _cells(each: Forecast, looked: Preview, worth: Worth) -> dict[str, str]:
    name = escape(each.rule.name) + (" [dim](shadow)[/]" if each.rule.shadow else "")
    cells = {
        "RULE": name,
        "ACTION": action_of(each.rule),
        "OF": each.signal,
        "MATCHED": f"{each.matched:,}",
        "GUARDED": _count(each.guarded, "yellow"),
        "ORPHANS": _count(each.orphans, "yellow"),
        "ERRORS": _count(each.errors, "red"),
    }
    if each.rule.action not in {"drop", "sample", "aggregate"}:
        return cells | dict.fromkeys(("REMOVED", "SHARE", "BYTES", "A MONTH", "$/MONTH"), "-")
    return cells | {
        "REMOVED": f"{each.removed:,}",
        "SHARE": share(each.removed, looked.volumes[each.signal].received),
        "BYTES": size_of(each.size),
        "A MONTH": size_of(worth.bytes_a_month(each.size)),
        "$/MONTH": dollars(worth.usd_a_month(each.signal, each.size)),
    }


def _total(forecasts: Sequence[Forecast], looked: Preview, worth: Worth) -> dict[str, str]:
    received = sum(volume.received for volume in looked.volumes.values())
    removed = sum(each.removed for each in forecasts)
    size = sum(each.size for each in forecasts)
    costs = [worth.usd_a_month(each.signal, each.size) for each in forecasts if each.removed]
    return {
        "RULE": "all rules",
        "MATCHED": f"{sum(each.matched for each in forecasts):,}",
        "REMOVED": f"{removed:,}",
        "SHARE": share(removed, received),
        "BYTES": size_of(size),
        "A MONTH": size_of(worth.bytes_a_month(size)),
        "$/MONTH": dollars(_sum(costs)),
        "GUARDED": _count(sum(each.guarded for each in forecasts)),
        "ORPHANS": _count(sum(each.orphans for each in forecasts)),
        "ERRORS": _count(sum(each.errors for each in forecasts)),
    }


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    """Return what amounts come to; one that is unknown makes the sum unknown."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _count(number: int, colour: str = "") -> str:
    if not number:
        return "-"
    return f"[{colour}]{number:,}[/]" if colour else f"{number:,}"


def _notes(forecasts: Sequence[Forecast], looked: Preview, *, wide: bool) -> Iterator[str]:
    """Yield what is to be known beside the numbers, a line each."""
    lines = [] if wide else [line for each in forecasts for line in _aside(each)]
    for each in forecasts:
        if each.events:
            lines.append(f"{each.rule.name} cuts {each.events:,} events out of spans that stay")
        if each.emitted:
            lines.append(
                f"{each.rule.name} writes {each.emitted:,} points in place of {each.removed:,}"
            )
    lines += [f"{who} kept {number:,}" for who, number in looked.guards.most_common()]
    lines += [f"not aggregated, {number:,} of {why}" for why, number in looked.refusals.items()]
    if looked.redacted:
        found = ", ".join(f"{number:,} {kind}" for kind, number in looked.redacted.most_common())
        lines.append(f"redacted before all rules: {found}")
    if lines:
        yield ""
    for line in lines:
        yield escape(line)


def _aside(each: Forecast) -> Iterator[str]:
    """Yield what has no column on a narrow terminal."""
    name = each.rule.name
    if each.guarded:
        yield f"{name}: a guard keeps {each.guarded:,} that it would take"
    if each.orphans:
        yield f"{name}: {each.orphans:,} spans that stay lose their parent"
    if each.errors:
        yield f"{name}: {each.errors:,} errors in its conditions; such items stay"


def _examples(forecasts: Sequence[Forecast]) -> Iterator[RenderableType]:
    for each in forecasts:
        if each.examples:
            yield ""
            yield f"[bold]{escape(each.rule.name)}[/] takes {ITEMS[each.signal]}, for example:"
            for example in each.examples:
                yield Text(f"  {example}", style="dim", overflow="ellipsis", no_wrap=True)


def _doubts(looked: Preview, worth: Worth) -> Iterator[str]:
    """Yield what the numbers do not tell, and what to do about it."""
    if worth.window is None or worth.window < SHORTEST:
        span = lasting(worth.window) if worth.window else "an unknown time"
        yield f"It is of {span}, too short to tell a month: say how long with --window."
    elif missing := [signal for signal in looked.volumes if signal not in worth.usd_per_gb]:
        yield (
            f"What a GB of {', '.join(missing)} costs is unknown: give the backends"
            " usd_per_gb, or say --price-per-gb."
        )
    if orphans := sum(each.orphans for each in looked.forecasts()):
        yield f"[yellow]{orphans:,} spans would lose their parent[/]: traces with holes in them."
    if invalid := sum(volume.invalid for volume in looked.volumes.values()):
        yield f"{invalid:,} items were no valid telemetry, and are not counted."
    yield "[dim]Nothing was changed: this is a preview.[/]"
