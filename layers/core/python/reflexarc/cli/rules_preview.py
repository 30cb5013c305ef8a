"""`reflexarc rules preview`: what rules would do to telemetry that came; nothing is changed."""

import json
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Annotated

import typer

from reflexarc.cli.examined import File
from reflexarc.cli.rules_document import sound_document
from reflexarc.cli.rules_preview_screen import facts, shown
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
from reflexarc.incidents.spans import span_of
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.preview import Preview, previewing
from reflexarc.telemetry.worth import Worth, prices

PricePerGb = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Dollars a GB, instead of the prices of the document's backends.",
        show_default=False,
    ),
]
Window = Annotated[
    str | None,
    typer.Option(
        help="How long a time the files are of (10m, 1h, 1d), where their own times do not say.",
        show_default=False,
    ),
]


def preview(
    file: File,
    otlp: OtlpPaths = None,
    *,
    archive: FromArchive = False,
    since: Since = "1h",
    until: Until = None,
    signal: Signal = None,
    price_per_gb: PricePerGb = None,
    window: Window = None,
    examples: Annotated[
        int, typer.Option(min=0, max=50, help="So many of what each rule takes.")
    ] = 3,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show what the rules of a document would do to telemetry that came; nothing is changed.

    It is judged by the code that judges it in the stack; rules in shadow are judged as if they
    were live. Files are redacted first, as the stack would; what is in the archive is already.
    BYTES are of protobuf, before it is packed, and are taken to a month of 30 days.
    """
    config = sound_document(file)
    with recorded(
        otlp, archive=archive, since=since, until=until, signal=signal,
        stack=stack, endpoint=endpoint,
    ) as source:  # fmt: skip
        looked = previewing(
            config.rules,
            READS,
            system_clock().astimezone(UTC).date(),
            redact=redaction_of(config.redaction, archive=archive),
            examples=examples,
        )
        for batch in watched(source, "judging"):
            looked.take(batch)
    worth = Worth(window_of(window, looked), prices(config.backends, stated_price(price_per_gb)))
    if as_json:
        typer.echo(json.dumps(facts(looked, worth)))
        return
    out = console()
    out.print(shown(looked, worth, out.width), highlight=False)


def window_of(stated: str | None, looked: Preview) -> timedelta | None:
    """Return how long a time was looked at, as somebody says or as far as the telemetry says."""
    if stated is None:
        return looked.window
    try:
        return span_of(stated)
    except ValueError as error:
        fail(f"--window {stated[:20]!r}: {error}")


def stated_price(stated: float | None) -> Decimal | None:
    """Return the price of a GB that somebody says."""
    return None if stated is None else Decimal(str(stated))
