"""The composition root of the functions: builds each service once an execution environment.

Adapters that only one function needs are imported where they are built, so that the page path
(gpu_alert) imports nothing that it does not use.
"""

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.silences import DynamoSilences
from reflexarc.adapters.sqs.dead_letters import SqsDeadLetters
from reflexarc.adapters.sqs.timers import SqsTimers
from reflexarc.adapters.sqs.wake_ups import SqsWakeUps
from reflexarc.gpu.service import FaultService
from reflexarc.incidents.service import IncidentService
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime import clients
from reflexarc.runtime.config import PinnedConfiguration
from reflexarc.runtime.observability import count, logger
from reflexarc.runtime.settings import (
    GpuAlertSettings,
    GpuReadingSettings,
    RecordingSettings,
    RelayedSettings,
    WakingSettings,
)

if TYPE_CHECKING:
    from reflexarc.adapters.dynamodb.outbox import DynamoOutbox
    from reflexarc.gpu.fleet_service import ReadingService


@cache
def believed() -> tuple[str, str]:
    """Return whose word counts on who sent a message, and who is a witness (sqs_batch.py)."""
    settings = RelayedSettings.load()
    return settings.ingest_role_id, settings.telemetry_role_id


@cache
def fault_service() -> FaultService:
    """Build what gpu_alert calls."""
    from reflexarc.adapters.dynamodb.fleet_heard import Heard  # noqa: PLC0415 - module docstring
    from reflexarc.adapters.dynamodb.senders import DynamoSenders  # noqa: PLC0415

    settings = GpuAlertSettings.load()
    configuration = configuration_of(settings.incidents_table)
    return FaultService(
        incidents=incident_service(settings, configuration),
        dead_letters=dead_letters(settings.rejected_queue_url),
        senders=DynamoSenders(
            clients.dynamodb(),
            settings.incidents_table,
            Heard(clients.dynamodb(), settings.fleet_table),
        ),
        policy=lambda: configuration.current().gpu,
        clock=system_clock,
    )


@cache
def reading_service() -> "ReadingService":
    """Build what gpu_reading calls."""
    from reflexarc.adapters.dynamodb.fleet import DynamoFleet  # noqa: PLC0415 - module docstring
    from reflexarc.adapters.dynamodb.fleet_heard import Heard  # noqa: PLC0415
    from reflexarc.adapters.dynamodb.senders import DynamoSenders  # noqa: PLC0415
    from reflexarc.adapters.sqs.signals import SqsSignals  # noqa: PLC0415
    from reflexarc.gpu.fleet_service import ReadingService  # noqa: PLC0415

    settings = GpuReadingSettings.load()
    dynamodb = clients.dynamodb()
    configuration = configuration_of(settings.incidents_table)
    return ReadingService(
        fleet=DynamoFleet(
            dynamodb, settings.fleet_table, timedelta(days=settings.usage_retention_days)
        ),
        signals=SqsSignals(clients.sqs(), settings.signals_queue_url),
        dead_letters=dead_letters(settings.rejected_queue_url),
        senders=DynamoSenders(
            dynamodb, settings.incidents_table, Heard(dynamodb, settings.fleet_table)
        ),
        policy=lambda: configuration.current().gpu,
        clock=system_clock,
        lost=lambda number: count("ReadingsLost", number),
    )


def incident_service(
    settings: RecordingSettings, configuration: PinnedConfiguration
) -> IncidentService:
    """Build what turns signals into incidents and pages."""
    return IncidentService(
        book=DynamoIncidentBook(clients.dynamodb(), settings.incidents_table),
        wake_ups=wake_ups(settings),
        timers=SqsTimers(clients.sqs(), settings.signals_queue_url),
        policy=lambda: configuration.policy(settings.slack_channel),
        clock=system_clock,
    )


def wake_ups(settings: WakingSettings) -> SqsWakeUps:
    """Build what tells senders that they have work."""
    return SqsWakeUps(
        clients.sqs(),
        {
            "slack": settings.notify_slack_queue_url,
            "pagerduty": settings.notify_pagerduty_queue_url,
        },
        others=settings.notify_others_queue_url,
    )


def dead_letters(queue: str) -> SqsDeadLetters:
    """Build what keeps messages that can never succeed."""
    return SqsDeadLetters(clients.sqs(), queue, system_clock)


def outbox_of(table: str) -> "DynamoOutbox":
    """Build the notices that wait, and their leases."""
    from reflexarc.adapters.dynamodb.outbox import DynamoOutbox  # noqa: PLC0415 - module docstring

    return DynamoOutbox(clients.dynamodb(), table)


def configuration_of(table: str) -> PinnedConfiguration:
    """Build what reads the configuration and the silences in force."""
    return PinnedConfiguration(
        ConfigDocument(clients.dynamodb(), table),
        system_clock,
        _configuration_problem,
        DynamoSilences(clients.dynamodb(), table),
    )


def _configuration_problem(version: int, reason: str) -> None:
    logger().error("configuration problem", version=version, reason=reason)
    count("ConfigRejected")
