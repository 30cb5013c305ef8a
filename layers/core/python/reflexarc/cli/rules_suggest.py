"""`reflexarc rules suggest`: what is expensive and unread, and the rules against it."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from reflexarc.cli.amounts import dollars, share, size_of
from reflexarc.cli.rules_document import sound_document
from reflexarc.cli.rules_preview import PricePerGb, Window, stated_price, window_of
from reflexarc.cli.rules_preview_screen import ITEMS, action_of
from reflexarc.cli.rules_sources import (
    FromArchive,
    OtlpPaths,
    Recorded,
    Signal,
    Since,
    Until,
    recorded,
    redaction_of,
    watched,
)
from reflexarc.cli.stack import AsJson, EndpointUrl, StackName
from reflexarc.engines.redact.policy import TRIAL_SALT
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.config import TelemetryConfig
from reflexarc.telemetry.preview import Forecast, Preview, Redact, previewing
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import RuleSet
from reflexarc.telemetry.suggest import NOBODY, Suggesting
from reflexarc.telemetry.suggesting.model import Finding
from reflexarc.telemetry.worth import Worth, prices

_ABOVE = (
    "# Suggested by reflexarc rules suggest. Copy what you want into your document: in shadow a",
    "# rule counts what it would do, and does nothing. Look at `reflexarc rules list` for some",
    "# days, then take `shadow` away.",
)
Measured = tuple[Mapping[str, Any], Sequence[Forecast]]


@dataclass(frozen=True, slots=True)
class _Suggested:
    """What was found, and what it would save."""

    rules: Sequence[Measured]
    findings: Sequence[Finding]
    looked: Preview
    worth: Worth


def suggest(
    otlp: OtlpPaths = None,
    *,
    after: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A telemetry document: what its rules take is not looked at again.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the rules here.", show_default=False),
    ] = None,
    owner: Annotated[str, typer.Option(help="Who answers for the rules.")] = NOBODY,
    archive: FromArchive = False,
    since: Since = "1h",
    until: Until = None,
    signal: Signal = None,
    price_per_gb: PricePerGb = None,
    window: Window = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Find telemetry that is expensive and that nobody reads, and write rules against it.

    The rules are in shadow, and each says what it saved of what was looked at. Nothing is
    suggested that alerts, guards or other parts of reflexarc read. It is read twice: to look, and
    to measure by the code that judges it in the stack.
    """
    config = sound_document(after) if after else TelemetryConfig()
    redact = redaction_of(config.redaction, archive=archive)
    with recorded(
        otlp, archive=archive, since=since, until=until, signal=signal,
        stack=stack, endpoint=endpoint,
    ) as source:  # fmt: skip
        made, looked, findings = _made(source, config, owner, redact)
    worth = Worth(window_of(window, looked), prices(config.backends, stated_price(price_per_gb)))
    suggested = _Suggested(_measured(made, looked), findings, looked, worth)
    if as_json:
        typer.echo(json.dumps(_facts(suggested)))
        return
    screen = Console(stderr=True, emoji=False)
    screen.print(_shown(suggested), highlight=False)
    text = _yaml(suggested)
    if output is not None:
        output.write_text(text, encoding="utf-8")
        screen.print(f"written to {output}", highlight=False)
    elif suggested.rules:
        sys.stdout.write(text)


def _made(
    source: Recorded, config: TelemetryConfig, owner: str, redact: Redact | None
) -> tuple[list[Mapping[str, Any]], Preview, list[Finding]]:
    """Return rules as documents, a preview of them, and findings."""
    today = system_clock().astimezone(UTC).date()
    before = RuleSet(config.rules, READS, version=0, today=today, salt=TRIAL_SALT)

    def batches(doing: str) -> Iterator[Batch]:
        for batch in watched(source, doing):
            payload = redact(batch.signal, batch.payload).payload if redact else batch.payload
            left = before.apply(batch.signal, payload).payload if config.rules else payload
            yield Batch(signal=batch.signal, payload=left, where=batch.where, at=batch.at)

    looking = Suggesting()
    for batch in batches("looking"):
        looking.take(batch)
    made = looking.rules(READS, today, owner=owner, taken=[rule.name for rule in config.rules])
    preview = previewing([Rule.model_validate(each) for each in made], READS, today, examples=1)
    for batch in batches("measuring"):
        preview.take(batch)
    return made, preview, looking.findings()


def _measured(made: Sequence[Mapping[str, Any]], looked: Preview) -> list[Measured]:
    """Return the rules that take something, each with what it takes."""
    found: dict[str, list[Forecast]] = {}
    for forecast in looked.forecasts():
        if forecast.removed:
            found.setdefault(forecast.rule.name, []).append(forecast)
    return [(rule, found[rule["name"]]) for rule in made if rule["name"] in found]


def _shown(suggested: _Suggested) -> Group:
    parts: list[RenderableType] = []
    if suggested.rules:
        parts += [_table(suggested), ""]
    else:
        parts += ["No rule is worth suggesting for what was looked at.", ""]
    if suggested.findings:
        parts.append("[bold]What no rule can mend[/]")
        for finding in suggested.findings:
            size = f" [dim]({size_of(finding.size)})[/]" if finding.size else ""
            parts.append(f"  {escape(finding.what)}{size}: {escape(finding.advice)}")
        parts.append("")
    return Group(*parts)


def _table(suggested: _Suggested) -> Table:
    worth = suggested.worth
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("SUGGESTED", overflow="fold")
    table.add_column("ACTION", no_wrap=True)
    for name in ("REMOVES", "SHARE", "BYTES", "$/MONTH"):
        table.add_column(name, justify="right", no_wrap=True)
    for rule, forecasts in suggested.rules:
        for each in forecasts:
            received = suggested.looked.volumes[each.signal].received
            table.add_row(
                escape(rule["name"]),
                action_of(each.rule),
                f"{each.removed:,} {ITEMS[each.signal]}",
                share(each.removed, received),
                size_of(each.size),
                dollars(worth.usd_a_month(each.signal, each.size)),
            )
    return table


def _yaml(suggested: _Suggested) -> str:
    """Return the rules as a document, each with what it saved above it."""
    lines = [*_ABOVE, "rules:"]
    for rule, forecasts in suggested.rules:
        lines += [f"  # {_saving(each, suggested)}" for each in forecasts]
        text = yaml.safe_dump([dict(rule)], sort_keys=False, width=96, allow_unicode=True)
        lines += [f"  {line}" for line in text.splitlines()]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _saving(each: Forecast, suggested: _Suggested) -> str:
    received = suggested.looked.volumes[each.signal].received
    usd = suggested.worth.usd_a_month(each.signal, each.size)
    a_month = suggested.worth.bytes_a_month(each.size)
    month = f", {size_of(a_month)} a month" if a_month is not None else ""
    cost = f" ({dollars(usd)})" if usd is not None else ""
    guarded = f"; guards keep {each.guarded:,} more" if each.guarded else ""
    return (
        f"removes {each.removed:,} of {received:,} {ITEMS[each.signal]}"
        f" ({share(each.removed, received)}), {size_of(each.size)}{month}{cost}{guarded}"
    )


def _facts(suggested: _Suggested) -> dict[str, object]:
    return {
        "rules": [
            {
                "rule": dict(rule),
                "saves": [
                    {
                        "signal": each.signal,
                        "removed": each.removed,
                        "bytes": each.size,
                        "bytes_a_month": suggested.worth.bytes_a_month(each.size),
                        "usd_a_month": _text(suggested.worth.usd_a_month(each.signal, each.size)),
                        "guarded": each.guarded,
                        "orphans": each.orphans,
                    }
                    for each in forecasts
                ],
            }
            for rule, forecasts in suggested.rules
        ],
        "findings": [
            {"what": each.what, "advice": each.advice, "bytes": each.size}
            for each in suggested.findings
        ],
    }


def _text(usd: Decimal | None) -> str | None:
    return None if usd is None else str(usd)
