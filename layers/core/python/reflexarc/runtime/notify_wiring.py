"""Builds what notify calls, apart from `wiring`: the page path imports no vendor."""

from functools import cache

from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.sqs.re_wakes import SqsReWakes
from reflexarc.adapters.sqs.undeliverable import SqsUndeliverable
from reflexarc.incidents.closing import Closing
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.ids import new_ulid
from reflexarc.notify.service import DeliveryService
from reflexarc.runtime import clients
from reflexarc.runtime.journal import CloudWatchJournal
from reflexarc.runtime.senders import senders
from reflexarc.runtime.settings import NotifySettings
from reflexarc.runtime.wiring import dead_letters, outbox_of, wake_ups


@cache
def delivery_service() -> DeliveryService:
    """Build what notify calls."""
    settings = NotifySettings.load()
    rejected = dead_letters(settings.rejected_queue_url)
    return DeliveryService(
        outbox=outbox_of(settings.incidents_table),
        pages=Closing(
            book=DynamoIncidentBook(clients.dynamodb(), settings.incidents_table),
            clock=system_clock,
            wake=wake_ups(settings).wake,
        ),
        senders=senders(settings),
        re_wakes=SqsReWakes(clients.sqs(), settings.notify_later_queue_url),
        undeliverable=SqsUndeliverable(rejected),
        dead_letters=rejected,
        journal=CloudWatchJournal(),
        clock=system_clock,
        new_owner=lambda: new_ulid(system_clock()),
    )
