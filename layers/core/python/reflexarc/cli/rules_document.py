"""`reflexarc rules check | push | show | rollback | schema`: the telemetry document as a whole."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from reflexarc.cli.documents import print_document, print_schema
from reflexarc.cli.examined import Examined, File, examined
from reflexarc.cli.rules_stack import telemetry_of
from reflexarc.cli.stack import FAILED, AsJson, EndpointUrl, StackName, fail
from reflexarc.cli.terminal import console
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.changes import Change, changes
from reflexarc.telemetry.checking import examine
from reflexarc.telemetry.config import TelemetryConfig

_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_SHOWN = 40


def check(file: File, *, as_json: AsJson = False) -> None:
    """Check a telemetry document as a push does; nothing is sent."""
    found = examined_rules(file)
    found.report(as_json=as_json)
    if not as_json:
        typer.echo(f"{file}: fine, {_in_numbers(found)}")


def push(
    file: File,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Check a telemetry document, show what it changes, and put it in force.

    It is in force everywhere within ten seconds. What was pushed by somebody else while you were
    asked is not overwritten: look at it first.
    """
    found = examined_rules(file)
    if found.refused:
        _refuse(found, as_json=as_json)
    text = json.dumps(found.document.content)
    with telemetry_of(stack, endpoint) as deployed:
        seen, before = deployed.documents.live() or (0, "{}")
        changed = changes(_read(before), found.document.content)
        if not as_json:
            found.say()
            _show_changes(changed, seen)
        version = seen
        if changed:
            if not (yes or as_json or _agreed()):
                fail("nothing was pushed")
            version = deployed.push(text, seen)
    if as_json:
        facts = [{"kind": each.kind, "name": each.name, "parts": each.what} for each in changed]
        typer.echo(json.dumps(found.facts() | {"version": version, "changes": facts}))
    elif changed:
        typer.echo(f"version {version} is live")


def show(
    *,
    version: Annotated[
        int | None, typer.Option(min=1, help="An earlier version.", show_default=False)
    ] = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Print the live telemetry document, or an earlier version, as YAML."""
    with telemetry_of(stack, endpoint) as deployed:
        live = deployed.documents.live() if version is None else None
        text = deployed.documents.version(version) if version else live and live[1]
    if not text:
        fail(
            "nothing was pushed: everything is kept"
            if version is None
            else f"there is no version {version}"
        )
    print_document(text, as_json=as_json, width=100)


def rollback(
    version: Annotated[
        int | None,
        typer.Argument(min=1, help="By default the one before the live one.", show_default=False),
    ] = None,
    *,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Put an earlier version in force again, at once and without a question.

    It becomes a new version, so that an account always names one text.
    """
    with telemetry_of(stack, endpoint) as deployed:
        pushed, of = deployed.rollback(version)
        text = deployed.documents.version(pushed) or "{}"
        today = deployed.now().astimezone(UTC).date()
    if as_json:
        typer.echo(json.dumps({"version": pushed, "of": of}))
        return
    typer.echo(f"version {of} is live again, as version {pushed}")
    over = [rule["name"] for rule in _read(text).get("rules", ()) if _is_over(rule, today)]
    if over:
        typer.echo(f"expired meanwhile, and doing nothing: {', '.join(over)}", err=True)


def schema() -> None:
    """Print the document's JSON Schema: an editor that knows it completes and checks."""
    print_schema(TelemetryConfig)


def examined_rules(file: Path, today: date | None = None) -> Examined:
    """Return a telemetry document with everything that is wrong with it on a day."""
    day = today or system_clock().astimezone(UTC).date()
    return examined(file, lambda content: examine(content, READS, day))


def sound_document(file: Path, today: date | None = None) -> TelemetryConfig:
    """Return a telemetry document; ends the command with its problems where it is not sound."""
    found = examined_rules(file, today)
    if found.refused:
        _refuse(found, as_json=False)
    return TelemetryConfig.model_validate_json(json.dumps(found.document.content))


def _refuse(found: Examined, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.facts() | {"version": None}))
    else:
        found.say()
    raise typer.Exit(FAILED)


def _in_numbers(found: Examined) -> str:
    rules = _read(json.dumps(found.document.content)).get("rules", ())
    shadows = sum(bool(rule.get("shadow")) for rule in rules)
    many = f"{len(rules):,} rule{'' if len(rules) == 1 else 's'}"
    return f"{many}, {shadows:,} of them in shadow" if shadows else many


def _read(text: str) -> dict[str, Any]:
    """Return a document that is or was in force; one that nobody could read has nothing in it."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _is_over(rule: dict[str, Any], today: date) -> bool:
    return datetime.fromisoformat(rule["expires"]).date() < today


def _show_changes(changed: Sequence[Change], seen: int) -> None:
    out = console()
    if not changed:
        out.print(f"nothing differs from version {seen}, which is live", highlight=False)
        return
    out.print(f"against {f'version {seen}' if seen else 'nothing: none was pushed yet'}:")
    for each in changed[:_SHOWN]:
        what = f" [dim]({', '.join(each.what)})[/]" if each.what else ""
        sign = f"[{_COLOURS[each.kind]}]{_SIGNS[each.kind]} {each.kind}[/]"
        out.print(f"  {sign} {each.name}{what}", highlight=False)
    if len(changed) > _SHOWN:
        out.print(f"  and {len(changed) - _SHOWN:,} more", highlight=False)


def somebody_is_there() -> bool:
    """Return whether there is a person who can be asked."""
    return sys.stdin.isatty()


def _agreed() -> bool:
    if not somebody_is_there():
        fail("nobody is there to be asked: say --yes")
    return typer.confirm("Put it in force?")
