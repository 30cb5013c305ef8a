"""`reflexarc demo`: kernel lines become pages and telemetry becomes less, on this machine alone."""

import signal
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from reflexarc.kernel.errors import ReflexError

if TYPE_CHECKING:
    from reflexarc.cli.demo_screen import Screen
    from reflexarc.emulator.lane import Plan
    from reflexarc.emulator.report import Report

REPORT = Path("build", "demo", "report.json")
LOST = 1
NOT_RUN = 2

Keep = Annotated[
    bool, typer.Option("--keep", help="Leave it running, and say how to use it, until Ctrl-C.")
]
EndpointUrl = Annotated[
    str | None,
    typer.Option("--endpoint", help="Use a LocalStack that runs already, at this URL."),
]
CallbackHost = Annotated[
    str | None,
    typer.Option(
        "--callback-host",
        help="With --endpoint: the name by which its functions reach this machine. The stand-ins "
        "then listen on every interface.",
    ),
]
Auth = Annotated[bool, typer.Option("--auth", help="Let the emulator enforce every IAM policy.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON and nothing else.")]
ReportPath = Annotated[
    Path | None, typer.Option("--report", help="Where to keep the report. (default: build/demo)")
]


def demo(
    *,
    keep: Keep = False,
    endpoint: EndpointUrl = None,
    callback_host: CallbackHost = None,
    auth: Auth = False,
    json_: Json = False,
    report: ReportPath = None,
) -> None:
    """Watch kernel lines travel from the edge agent to Slack and PagerDuty, and OTLP through rules.

    Starts an AWS emulator on loopback, deploys the committed template, runs the real agent and
    functions over sample kernel logs, and stops all of it again. Needs a checkout: `make demo`.

    Exit codes: 0 every page arrived once, and the telemetry that the rules keep; 1 something was
    lost, doubled or not redacted; 2 the demo could not run.
    """
    # The lane imports all of AWS's client and more: other commands must not wait for it.
    from reflexarc.cli.demo_screen import Screen, console  # noqa: PLC0415
    from reflexarc.emulator.lane import Plan  # noqa: PLC0415
    from reflexarc.emulator.stack import find_checkout  # noqa: PLC0415

    for number in (signal.SIGINT, signal.SIGTERM):  # a script's `demo &` ignores Ctrl-C
        signal.signal(number, _as_interrupt)
    show = Screen(console(stderr=json_, quiet=json_ and not keep))
    try:
        checkout = find_checkout(Path.cwd())
        plan = Plan(checkout=checkout, endpoint=endpoint, auth=auth, callback_host=callback_host)
        result = _run(plan, show, report or checkout / REPORT, keep=keep, as_json=json_)
    except KeyboardInterrupt:
        typer.echo("\nstopped; nothing is left running", err=True)
        raise typer.Exit(128 + signal.SIGINT) from None
    except ReflexError as error:
        typer.echo(f"reflexarc demo: {error}", err=True)
        raise typer.Exit(NOT_RUN) from error
    if not result.good:
        raise typer.Exit(LOST)


def _run(plan: "Plan", show: "Screen", path: Path, *, keep: bool, as_json: bool) -> "Report":
    from reflexarc.emulator import demo as lane_demo  # noqa: PLC0415 - as above
    from reflexarc.emulator.processes import Processes  # noqa: PLC0415

    began = time.monotonic()
    with Processes(logs=plan.checkout / lane_demo.LOGS) as processes:
        lane, result = lane_demo.run(plan, show, processes)
        result.write(path)
        if as_json:
            typer.echo(result.model_dump_json(indent=2))
        show.summary(result, path, time.monotonic() - began)
        if keep:
            show.how_to_use(lane)
            with suppress(KeyboardInterrupt):
                signal.pause()
    return result


def _as_interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
