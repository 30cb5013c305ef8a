"""Builds what telemetry_rules calls, apart from `wiring`: the page path imports none of it."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from reflexarc.adapters.dcgm.telemetry import DcgmTelemetry
from reflexarc.adapters.dynamodb.config_document import TELEMETRY, ConfigDocument
from reflexarc.adapters.dynamodb.telemetry_ledger import DynamoLedger
from reflexarc.adapters.dynamodb.telemetry_sketches import DynamoSketches
from reflexarc.adapters.otlp_http.exporter import OtlpHttpExporter
from reflexarc.adapters.otlp_http.keys import EXAMPLE, BackendKeys
from reflexarc.adapters.s3.telemetry_objects import S3Archive, S3TelemetryObjects
from reflexarc.adapters.secrets.secrets_manager import SecretsManagerSecret
from reflexarc.adapters.sqs.dead_letters import SqsDeadLetters
from reflexarc.adapters.sqs.forward_queue import SqsForwardQueue, SqsRefusals
from reflexarc.adapters.sqs.other_queues import SqsOthers
from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.gpu.recognise import Recogniser
from reflexarc.gpu.unwrap import lines_in
from reflexarc.ingest.tokens import speaks_for
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime import clients
from reflexarc.runtime.observability import count, logger, report
from reflexarc.runtime.settings import TelemetryRulesSettings
from reflexarc.runtime.telemetry_config import PinnedTelemetry, Telemetry
from reflexarc.telemetry.batches import BatchWork, Done, Policy
from reflexarc.telemetry.cardinality import Cardinality, joined
from reflexarc.telemetry.forwarding import Forwarder
from reflexarc.telemetry.handing_on import HandingOn
from reflexarc.telemetry.service import TelemetryService

# Of the function's 60 s: what is begun by now ends, a backend's longest timeout included.
BEGUN_WITHIN_S = 35.0
_TOKEN = "token:"  # noqa: S105 - the name of a kind of sender


@dataclass(slots=True)
class Pace:
    """Knows when an invocation began, and so whether anything may still be begun in it."""

    _began: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        """Begin an invocation."""
        self._began = time.monotonic()

    def hurried(self) -> bool:
        """Return whether nothing more may be begun."""
        return time.monotonic() - self._began > BEGUN_WITHIN_S


@dataclass(frozen=True, slots=True)
class NodeLog:
    """Fills telemetry.ports.KernelLog with what the agent recognises lines by."""

    recogniser: Recogniser = field(default_factory=Recogniser)

    def see(self, text: str) -> Sequence[tuple[str, str]]:
        """Return the faults that a text reports; what only looks like one is not enough here."""
        seen = (self.recogniser.see(line) for line in lines_in(text))
        return [(each.text, each.key) for each in seen if each and each.fault.kind != "none"]


@dataclass(slots=True)
class _Policies:
    """The document in force, as batches are treated by it; made anew when it changes."""

    pinned: PinnedTelemetry
    _made: tuple[Telemetry, Policy] | None = None

    def current(self) -> Policy:
        current = self.pinned.current()
        if self._made is None or self._made[0] is not current:
            self._made = current, _policy(current)
        return self._made[1]


def react(deliveries: Sequence[Delivery]) -> tuple[Outcome, ...]:
    """Take one batch of the telemetry or the telemetry-forward queue."""
    _pace().start()
    outcomes = telemetry_service().react(deliveries)
    _cardinality().flush()
    return outcomes


def relay() -> str:
    """Return whose word counts on who sent a message (runtime/sqs_batch.py)."""
    return _settings().ingest_role_id


def report_batch(outcomes: Iterable[Outcome]) -> None:
    """Log and count what became of a batch."""
    report(outcomes, done="TelemetryMessages", rejected="TelemetryRejected")


def may_tell(sender: str, node: str) -> bool:
    """Return whether a sender may tell of a node: a token's holder of those that its token names.

    Who was let in by AWS alone tells as a witness, which binds nobody (gpu/kinship.py).
    """
    return not sender.startswith(_TOKEN) or speaks_for(sender.removeprefix(_TOKEN), node)


@cache
def telemetry_service() -> TelemetryService:
    """Build what telemetry_rules calls."""
    settings = _settings()
    objects = S3TelemetryObjects(clients.s3(), settings.telemetry_bucket)
    forwarder = _forwarder(settings, objects)
    return TelemetryService(
        work=BatchWork(
            payloads=objects,
            archive=S3Archive(clients.s3(), settings.telemetry_bucket),
            handing_on=_handing_on(settings, objects),
            forwarder=forwarder,
            look=_cardinality().look,
        ),
        forwarder=forwarder,
        payloads=objects,
        ledger=DynamoLedger(clients.dynamodb(), settings.telemetry_table),
        dead_letters=SqsDeadLetters(clients.sqs(), settings.rejected_queue_url, system_clock),
        report=_take_note,
        policy=_policies().current,
        bucket=settings.telemetry_bucket,
        clock=system_clock,
        hurried=_pace().hurried,
    )


@cache
def _settings() -> TelemetryRulesSettings:
    return TelemetryRulesSettings.load()


@cache
def _pace() -> Pace:
    return Pace()


@cache
def _cardinality() -> Cardinality:
    return Cardinality(
        sketches=DynamoSketches(clients.dynamodb(), _settings().telemetry_table, joined),
        monotonic=time.monotonic,
        lost=lambda reason: logger().warning("sketches lost", reason=reason),
    )


@cache
def _policies() -> _Policies:
    documents = ConfigDocument(clients.dynamodb(), _settings().incidents_table, TELEMETRY)
    return _Policies(PinnedTelemetry(documents, system_clock, _problem, salt=_salt))


def _salt(name: str) -> bytes:
    """Return the salt of hashes; raises Unavailable where it cannot be had."""
    salt = _keys().current().of(name)
    if salt is None:
        raise Unavailable(f"the telemetry secret has no key {name}: hashes need it as a salt")
    return salt.encode()


def _policy(current: Telemetry) -> Policy:
    return Policy(
        version=current.version,
        rules=current.rules,
        rules_number=len(current.config.rules),
        redactor=current.redaction,
        forwarding=current.config,
    )


def _forwarder(settings: TelemetryRulesSettings, objects: S3TelemetryObjects) -> Forwarder:
    refused = SqsDeadLetters(clients.sqs(), settings.forward_rejected_queue_url, system_clock)
    return Forwarder(
        exporter=OtlpHttpExporter(secret=_keys()),
        payloads=objects,
        queue=SqsForwardQueue(clients.sqs(), settings.forward_queue_url),
        refusals=SqsRefusals(refused),
        clock=system_clock,
        failing=_backend_fails,
        hurried=_pace().hurried,
    )


@cache
def _keys() -> SecretsManagerSecret[BackendKeys]:
    return SecretsManagerSecret(
        clients.secrets_manager(),
        _settings().backends_secret_arn,
        BackendKeys,
        example=EXAMPLE,
        failing=lambda reason: logger().error("secret failing", reason=reason),
    )


def _handing_on(settings: TelemetryRulesSettings, objects: S3TelemetryObjects) -> HandingOn:
    return HandingOn(
        others=SqsOthers(
            clients.sqs(),
            {
                "gpu-faults": settings.gpu_faults_queue_url,
                "gpu-readings": settings.gpu_readings_queue_url,
                "llm-spans": settings.llm_spans_queue_url,
                "series": settings.series_queue_url,
            },
        ),
        payloads=objects,
        kernel_log=NodeLog,
        gpu_page=DcgmTelemetry(),
        may_tell=may_tell,
        clock=system_clock,
    )


def _take_note(done: Done) -> None:
    """Log and count what became of one batch."""
    count("TelemetryReceived", done.received)
    if done.removed:
        count("TelemetryRemoved", done.removed)
    for to, items in done.handed_on.items():
        if items:
            logger().info("telemetry handed on", to=to, items=items, batch=done.entry.id)
    if done.invalid:
        logger().warning("invalid telemetry", batch=done.entry.id, reason=done.invalid)


def _backend_fails(backend: str, reason: str) -> None:
    logger().warning("backend failing", backend=backend, reason=reason)
    count("BackendFailing")


def _problem(version: int, reason: str) -> None:
    logger().error("telemetry document problem", version=version, reason=reason)
    count("ConfigRejected")
