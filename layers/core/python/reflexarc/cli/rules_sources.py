"""Where recorded telemetry comes from: files that people have, or the archive of a stack."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from reflexarc.adapters.files.otlp_files import OtlpFiles
from reflexarc.cli.rules_stack import telemetry_of
from reflexarc.cli.stack import fail, readable_errors
from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import TRIAL_SALT, RedactionPolicy
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.incidents.spans import span_of
from reflexarc.telemetry.preview import Redact
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.ruleset import SIGNALS

OtlpPaths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[OTLP FILES]...",
        exists=True,
        dir_okay=False,
        help="Export requests: protobuf, JSON or JSON lines, plain, .gz or .zst.",
        show_default=False,
    ),
]
FromArchive = Annotated[
    bool, typer.Option("--archive", help="What came to the stack, from its archive.")
]
Since = Annotated[
    str, typer.Option(help="With --archive: 30m, 6h, 2d ago, or a time (2026-12-24T03:00, UTC).")
]
Until = Annotated[
    str | None, typer.Option(help="With --archive: the same; now by default.", show_default=False)
]
Signal = Annotated[
    str | None,
    typer.Option(
        help="traces, metrics or logs alone; what protobuf holds where nothing else tells.",
        show_default=False,
    ),
]


class Recorded(Protocol):
    """Telemetry that was recorded."""

    @property
    def size(self) -> int:
        """Return how many bytes there are to read."""
        ...

    def batches(self, progress: Callable[[int], None]) -> Iterator[Batch]:
        """Yield it, request by request; `progress` is told how many bytes were read so far."""
        ...


def signal_from(word: str | None) -> OtlpSignal | None:
    """Return a signal as people name it; ends the command where it is none."""
    if word is None:
        return None
    for signal in SIGNALS:
        if word in {signal, signal.removesuffix("s")}:
            return signal
    return fail(f"--signal {word[:40]!r}: there are traces, metrics and logs")


@contextmanager
def recorded(
    files: list[Path] | None,
    *,
    archive: bool,
    since: str,
    until: str | None,
    signal: str | None,
    stack: str,
    endpoint: str | None,
) -> Iterator[Recorded]:
    """Open files, or the archive of a stack; ends the command with what to do where neither is.

    So does what goes wrong inside, with one readable line.
    """
    wanted = signal_from(signal)
    if archive == bool(files):
        fail("name files of telemetry, or --archive for what came to the stack: one of the two")
    if files:
        with readable_errors():
            yield OtlpFiles(files, wanted)
        return
    with telemetry_of(stack, endpoint) as deployed:
        now = deployed.now()
        begin = moment_from(since, now, "--since")
        end = moment_from(until, now, "--until") if until else now
        if begin >= end:
            fail("--since is not before --until")
        yield deployed.archive(begin, end, (wanted,) if wanted else SIGNALS)


def redaction_of(policy: RedactionPolicy, *, archive: bool) -> Redact | None:
    """Return what runs before the rules in a trial; None for an archive: that came redacted."""
    return None if archive else Redactor(policy, salt=TRIAL_SALT).apply


def moment_from(written: str, now: datetime, option: str) -> datetime:
    """Return a moment: so long ago, or as it is written, in UTC where no zone is."""
    try:
        ago: timedelta = span_of(written)
    except ValueError:
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            fail(f"{option} {written[:40]!r}: write 30m, 6h or 2d ago, or a time 2026-12-24T03:00")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return now - ago


def watched(source: Recorded, doing: str) -> Iterator[Batch]:
    """Yield what is recorded, with a bar on the terminal that shows how far it is."""
    size = source.size
    screen = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(doing, total=size)
        yield from source.batches(lambda done: bar.update(task, completed=done))
