"""What a backend must hold of the telemetry that was sent: the other side of the audit.

Rules and redaction are the product's; its functions, queues and accounts are not asked. So what
they lose, double or let through is one that this knows of.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.emulator.traffic import Export
from reflexarc.engines.redact.payload import Redactor
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.config import TelemetryConfig
from reflexarc.telemetry.redaction import Redaction
from reflexarc.telemetry.ruleset import RuleSet


@dataclass(slots=True)
class Due:
    """What was sent, and what of it is to arrive; spans by trace id and span id."""

    sent: Counter[OtlpSignal] = field(default_factory=Counter)
    kept: Counter[OtlpSignal] = field(default_factory=Counter)
    spans: Counter[bytes] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How what arrived differs from what was due: all of it is 0 where nothing went wrong."""

    lost: int
    doubled: int
    unwanted: int


def due_of(config: TelemetryConfig, exports: Iterable[Export], today: date) -> Due:
    """Return what must become of these requests under a telemetry document."""
    rules = RuleSet(config.rules, READS, version=0, today=today)
    redaction = Redaction(Redactor(config.redaction), rules)
    due = Due()
    for export in exports:
        outcome = rules.apply(export.signal, redaction.apply(export.signal, export.payload).payload)
        account = outcome.account
        due.sent[export.signal] += account.received
        due.kept[export.signal] += account.kept + sum(rule.emitted for rule in account.rules)
        if export.signal == "traces":
            due.spans.update(ids_of(outcome.payload))
    return due


def ids_of(payload: bytes) -> Iterable[bytes]:
    """Yield trace id and span id of each span of a request."""
    for resource in ExportTraceServiceRequest.FromString(payload).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield span.trace_id + span.span_id


def compared(due: Due, held: Mapping[OtlpSignal, int], spans: Counter[bytes]) -> Compared:
    """Compare what was due with what a backend holds; points and records are only counted."""
    lost = (due.spans - spans).total()
    unwanted = sum(times for ids, times in spans.items() if ids not in due.spans)
    doubled = (spans - due.spans).total() - unwanted
    for signal in due.kept.keys() - {"traces"}:
        beyond = held.get(signal, 0) - due.kept[signal]
        lost += max(0, -beyond)
        doubled += max(0, beyond)
    return Compared(lost=lost, doubled=doubled, unwanted=unwanted)
