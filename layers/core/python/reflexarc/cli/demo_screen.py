"""How the demo looks: steps while it is set up, a row for each page, a summary."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from reflexarc.emulator import telling
from reflexarc.emulator.audit import STAGES, Alert
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.report import Fleet, Report, Storm

_STYLES = {"critical": "bold red", "warning": "yellow", "info": "blue"}
_PLAIN_WIDTH = 120  # pipes and CI logs wrap nothing
_STAGES_FROM_WIDTH = 112
_MEANING = (
    "read: kernel line to agent · send: to the queue · queue: to gpu_alert",
    "decide: to a stored incident · deliver: to the vendor",
)


def console(*, stderr: bool, quiet: bool) -> Console:
    """Return a console that colours terminals only."""
    made = Console(stderr=stderr, quiet=quiet, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = _PLAIN_WIDTH
    return made


class Screen:
    """Shows a demo to a person; fills emulator.demo.Show."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._wide = out.width >= _STAGES_FROM_WIDTH

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show a spinner while a step lasts, then how long it took."""
        began = time.monotonic()
        with self._out.status(Text(text), spinner="dots"):
            yield
        took = f"{time.monotonic() - began:5.1f} s"
        self._out.print(Text.assemble(("  ✓ ", "green"), f"{text:<66}", (took, "dim")))

    def remark(self, text: str) -> None:
        """Print something that a reader should know."""
        self._out.print(Text.assemble(("  ! ", "yellow"), text))

    def alerts(self, nodes: int) -> None:
        """Print what the rows hold."""
        self._out.print()
        self._out.print(Text(f"  {nodes} nodes at work; each page as it lands, in ms", "bold"))
        texts = ("severity", "fault", "where", "to", "latency")
        self._out.print(self._row(texts, STAGES, "dim"))

    def landed(self, page: Alert) -> None:
        """Print one page."""
        fault = page.cause.replace("/", " ")
        stages = tuple(f"{page.hops[s]:.1f}" if s in page.hops else "-" for s in STAGES)
        where = f"{page.gpu or 'node'} on {page.node}"
        latency = f"{page.latency_ms:.1f}"
        style = _STYLES.get(page.severity, "")
        texts = (page.severity.value, fault, where, page.channel, latency)
        self._out.print(self._row(texts, stages, style))

    def event(self, text: str) -> None:
        """Print what happens beside the pages."""
        self._out.print(Text.assemble(("  » ", "cyan"), (text, "bold")), soft_wrap=True)

    def summary(self, report: Report, path: Path, took_s: float) -> None:
        """Print what it all came to."""
        latency = report.latency_ms
        pairs = [
            ("pages", f"{len(report.alerts)} landed"),
            (
                "latency",
                f"p50 {_ms(latency.p50)}   p95 {_ms(latency.p95)}   max {_ms(latency.max)}",
            ),
            ("medians", f"{self._medians(report) or '-'} ms"),
            ("warm-up", f"{_ms(report.warm_up_ms)} before the first line, as the watchdog does it"),
        ]
        if report.storm is not None:
            pairs.append(("storm", _storm(report.storm)))
        if report.fleet is not None:
            pairs.append(("fleet", _fleet(report.fleet)))
        if report.telemetry is not None:
            pairs.append(("telemetry", telling.verdict_of(report.telemetry)))
        self._out.print()
        for name, value in pairs:
            self._out.print(Text.assemble((f"  {name:<11}", "dim"), value))
        verdict = f"lost {report.lost}   duplicates {report.duplicates}"
        self._out.print(
            Text.assemble(
                ("  verdict    ", "dim"), (verdict, "bold green" if report.good else "bold red")
            )
        )
        self._out.print(Text.assemble(("  report     ", "dim"), f"{_shown(path)}, {took_s:.1f} s"))
        self._out.print()
        for line in _MEANING:  # each fits into 80 columns
            self._out.print(Text(f"  {line}", "dim"))

    def how_to_use(self, lane: Lane) -> None:
        """Print how to reach what was left running."""
        exports = {
            **lane.endpoint.environment(),
            "REFLEXARC_FAULTS_QUEUE_URL": lane.stack.outputs["GpuFaultsQueueUrl"],
            "REFLEXARC_READINGS_QUEUE_URL": lane.stack.outputs["GpuReadingsQueueUrl"],
            "INCIDENTS_TABLE": lane.stack.outputs["IncidentsTableName"],
        }
        line = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus."
        lines = [
            "It all keeps running until Ctrl-C. In another terminal:",
            "",
            *(f"export {name}={value}" for name, value in exports.items()),
            "",
            f"echo '{line}' |",
            "  reflexarc agent --node my-node --source stdin --once --spool-dir /tmp/reflexarc-try",
            "reflexarc incidents list",
            "reflexarc gpus",
            "reflexarc rules list                     # what each rule took",
            f"curl -s {lane.standins.url}/_slack       # what Slack shows",
            f"curl -s {lane.standins.url}/_pagerduty   # what PagerDuty holds",
        ]
        self._out.print()
        for text in lines:
            self._out.print(Text(f"  {text}"), soft_wrap=True)

    def _row(
        self, texts: tuple[str, str, str, str, str], stages: tuple[str, ...], style: str
    ) -> Text:
        severity, fault, where, channel, latency = texts
        shown = "".join(f"{stage:>8}" for stage in stages) if self._wide else ""
        return Text.assemble(
            (f"  {severity:<9}", style),
            f"{fault[:19]:<20}{where[:30]:<31}{channel:<10}",
            (f"{latency:>8}", "bold" if style != "dim" else "dim"),
            (shown, "dim"),
        )

    def _medians(self, report: Report) -> str:
        by_stage = {
            stage: [alert.hops[stage] for alert in report.alerts if stage in alert.hops]
            for stage in STAGES
        }
        return "   ".join(
            f"{stage} {statistics.median(values):.1f}"
            for stage, values in by_stage.items()
            if values
        )


def _fleet(fleet: Fleet) -> str:
    health = ", ".join(f"{count} {name}" for name, count in sorted(fleet.health.items()))
    jobs = f", job {', '.join(fleet.jobs)}" if fleet.jobs else ""
    return f"{fleet.gpus} GPUs of {fleet.node}: {health}{jobs}"


def _storm(storm: Storm) -> str:
    told = "1 page" if storm.pages == 1 else f"{storm.pages} pages"
    took = _ms(storm.acked_ms)
    return f"{storm.gpus} GPUs of {storm.nodes} nodes: {told}, Ack in Slack to PagerDuty {took}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
