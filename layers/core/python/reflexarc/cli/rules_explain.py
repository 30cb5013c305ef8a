"""`reflexarc rules explain`: which guard or rule decided about one item, and why."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Annotated

import typer

from reflexarc.cli.examined import File
from reflexarc.cli.rules_document import sound_document
from reflexarc.cli.rules_explain_screen import explained, facts
from reflexarc.cli.rules_sources import (
    FromArchive,
    OtlpPaths,
    Signal,
    Since,
    Until,
    recorded,
    redaction_of,
    watched,
)
from reflexarc.cli.stack import AsJson, EndpointUrl, StackName, fail
from reflexarc.cli.terminal import console
from reflexarc.engines.ottl.plain_values import body_text
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.explain import explain as explanation_of
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.single_items import SingleItem, items_of

SpanId = Annotated[str | None, typer.Option(help="In hexadecimal.", show_default=False)]
TraceId = Annotated[str | None, typer.Option(help="In hexadecimal.", show_default=False)]
Name = Annotated[
    str | None,
    typer.Option(
        help="A span or metric of this name, a log record whose body holds it.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which item people ask about."""

    span_id: str | None
    trace_id: str | None
    name: str | None

    def __call__(self, item: SingleItem) -> bool:
        message = item.message
        if item.signal == "metrics":
            return not (self.span_id or self.trace_id) and self.name in {None, message.name}
        ids = (self.span_id, message.span_id), (self.trace_id, message.trace_id)
        if any(asked and asked.lower() != found.hex() for asked, found in ids):
            return False
        if self.name is None or item.signal == "traces":
            return self.name is None or message.name == self.name
        return self.name in body_text(message.body)


def explain(
    file: File,
    otlp: OtlpPaths = None,
    *,
    span_id: SpanId = None,
    trace_id: TraceId = None,
    name: Name = None,
    number: Annotated[int, typer.Option(min=1, help="Which one of those that fit, from 1.")] = 1,
    everything: Annotated[
        bool, typer.Option("--all", help="Rules that do not hold too, however many.")
    ] = False,
    archive: FromArchive = False,
    since: Since = "1h",
    until: Until = None,
    signal: Signal = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Say what the rules of a document do to one span, metric or log record, and why.

    What becomes of it is decided by the code that decides in the stack. Every rule is shown in the
    order in which it is asked, with each part of its conditions and what that part read.
    """
    config = sound_document(file)
    redact = redaction_of(config.redaction, archive=archive)
    with recorded(
        otlp, archive=archive, since=since, until=until, signal=signal,
        stack=stack, endpoint=endpoint,
    ) as source:  # fmt: skip
        fitting = _fitting(watched(source, "looking"), _Wanted(span_id, trace_id, name))
        item, seen = _chosen(fitting, number)
        if item is None:
            fail(f"{seen} of them fit, not {number}" if seen else "there is no such item")
        if redact is not None:
            payload = redact(item.signal, item.request).payload
            (item,) = items_of(Batch(signal=item.signal, payload=payload, where=item.where))
        found = explanation_of(item, config.rules, READS, system_clock().astimezone(UTC).date())
    if as_json:
        typer.echo(json.dumps(facts(item, found)))
        return
    console().print(explained(item, found, everything=everything), highlight=False)


def _fitting(
    batches: Iterator[Batch], wanted: Callable[[SingleItem], bool]
) -> Iterator[SingleItem]:
    return (item for batch in batches for item in items_of(batch) if wanted(item))


def _chosen(fitting: Iterator[SingleItem], number: int) -> tuple[SingleItem | None, int]:
    """Return the item of a number, or none and how many there are."""
    seen = 0
    for item in fitting:
        seen += 1
        if seen == number:
            return item, seen
    return None, seen
