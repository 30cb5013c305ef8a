"""Builds what ingest calls, apart from `wiring`: nothing of the incidents is imported for it."""

import time
from functools import cache

from reflexarc.adapters.sqs.relay import SqsRelay
from reflexarc.ingest.gate import IamGate, TokenGate
from reflexarc.ingest.ports import Gate
from reflexarc.ingest.service import IngestService
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime import clients
from reflexarc.runtime.settings import IngestSettings


@cache
def ingest_service() -> IngestService:
    """Build what ingest calls."""
    settings = IngestSettings.load()
    return IngestService(
        gate=_gate(settings),
        relay=SqsRelay(
            clients.sqs(),
            {
                "faults": settings.gpu_faults_queue_url,
                "readings": settings.gpu_readings_queue_url,
            },
        ),
        clock=system_clock,
        monotonic=time.monotonic,
    )


def _gate(settings: IngestSettings) -> Gate:
    if settings.ingest_auth == "AWS_IAM":
        return IamGate()
    from reflexarc.adapters.dynamodb.tokens import (  # noqa: PLC0415 - not loaded under AWS_IAM
        DynamoTokens,
    )

    return TokenGate(DynamoTokens(clients.dynamodb(), settings.incidents_table))
