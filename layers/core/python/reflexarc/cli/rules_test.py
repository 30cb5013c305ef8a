"""`reflexarc rules test`: tests of rules, as a build runs them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from reflexarc.cli.examined import Examined, examined
from reflexarc.cli.rules_document import sound_document
from reflexarc.cli.rules_explain_screen import conditions_of_rule
from reflexarc.cli.stack import FAILED, AsJson, fail, readable_errors
from reflexarc.cli.terminal import console
from reflexarc.events.problems import Problem, malformed_of
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.rule_tests import Bench, Suite, Tried
from reflexarc.telemetry.short_text import in_short

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", exists=True, dir_okay=False, show_default=False),
]


@dataclass(frozen=True, slots=True)
class _Run:
    """One file of tests, run."""

    found: Examined
    bench: Bench
    suite: Suite
    tried: Sequence[Tried]

    def line(self, tried: Tried) -> int:
        """Return on which line of the file an item stands."""
        case = next(number for number, each in enumerate(self.suite.tests) if each is tried.case)
        return self.found.document.position(("tests", case, "items", tried.number))[0]


def try_out(files: Files, *, as_json: AsJson = False) -> None:
    """Run tests of rules: items, and what is to become of each.

    Rules in shadow are tested as if they were live. A test fails on the day on which a rule that it
    needs expires, unless the file says `today`.
    """
    with readable_errors():
        runs = [_run(file) for file in files]
    failed = sum(bool(tried.differs) for run in runs for tried in run.tried)
    if as_json:
        typer.echo(json.dumps([_facts(run) for run in runs]))
    else:
        out = console()
        for run in runs:
            out.print(_shown(run), highlight=False)
        out.print(_summary(runs), highlight=False)
    if failed:
        raise typer.Exit(FAILED)


def _run(file: Path) -> _Run:
    found = examined(file, _malformed)
    if found.refused:
        found.say()
        raise typer.Exit(FAILED)
    suite = Suite.model_validate_json(json.dumps(found.document.content))
    rules = file.parent / suite.rules
    if not rules.is_file():
        fail(f"{file}: there is no {rules}")
    today: date = suite.today or system_clock().astimezone(UTC).date()
    bench = Bench(sound_document(rules, today), READS, today)
    return _Run(found, bench, suite, list(bench.tried(suite.tests)))


def _malformed(content: object) -> tuple[Problem, ...]:
    try:
        Suite.model_validate_json(json.dumps(content))
    except ValidationError as error:
        return malformed_of(error)
    return ()


def _shown(run: _Run) -> Group:
    parts: list[RenderableType] = [f"[bold]{escape(str(run.found.file))}[/]"]
    for case in run.suite.tests:
        tried = [each for each in run.tried if each.case is case]
        failed = [each for each in tried if each.differs]
        mark = "[bold red]FAIL[/]" if failed else "[green]ok[/]  "
        many = f"{len(tried)} item{'' if len(tried) == 1 else 's'}"
        parts.append(f"  {mark}  {escape(case.name)} [dim]({many})[/]")
        parts += [Padding(Group(*_failure(run, each)), (0, 0, 1, 8)) for each in failed]
    return Group(*parts)


def _failure(run: _Run, tried: Tried) -> Iterator[RenderableType]:
    """Yield what is not as expected of an item, and what the rule in question says to it."""
    yield Text(f"line {run.line(tried)}: {in_short(tried.item.signal, tried.item.message)}")
    for what, expected, got in tried.differs:
        of = f"{what} " if what else ""
        note = f"  [dim]({escape(tried.decision.note)})[/]" if tried.decision.note else ""
        yield f"  expected  [green]{escape(of + expected)}[/]"
        yield f"  got       [red]{escape(of + got)}[/]{'' if what else note}"
    steps = run.bench.explained(tried).steps
    for step in steps:
        if step.rule.name in {tried.trial.named, tried.decision.by}:
            yield conditions_of_rule(step)


def _summary(runs: Sequence[_Run]) -> str:
    cases = [case for run in runs for case in run.suite.tests]
    failed = {id(tried.case) for run in runs for tried in run.tried if tried.differs}
    passed = len(cases) - len(failed)
    if failed:
        return f"\n[bold red]{len(failed)} failed[/], {passed} passed"
    return f"\n[bold green]{passed} passed[/]"


def _facts(run: _Run) -> dict[str, object]:
    return {
        "file": str(run.found.file),
        "rules": run.suite.rules,
        "passed": not any(tried.differs for tried in run.tried),
        "items": [
            {
                "test": tried.case.name,
                "line": run.line(tried),
                "fate": tried.decision.fate,
                "by": tried.decision.by,
                "differs": [
                    {"what": what or "fate", "expected": expected, "got": got}
                    for what, expected, got in tried.differs
                ],
            }
            for tried in run.tried
        ],
    }
