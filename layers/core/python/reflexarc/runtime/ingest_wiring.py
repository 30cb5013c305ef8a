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
def settings() -> IngestSettings:
    """Return the settings that ingest was deployed with."""
    return IngestSettings.load()


@cache
def ingest_service() -> IngestService:
    """Build what ingest calls for agents."""
    told = settings()
    return IngestService(
        gate=gate(),
        relay=SqsRelay(
            clients.sqs(),
            {"faults": told.gpu_faults_queue_url, "readings": told.gpu_readings_queue_url},
        ),
        clock=system_clock,
        monotonic=time.monotonic,
    )


@cache
def gate() -> Gate:
    """Build what decides who calls, once: a token's rate is one, whatever it sends."""
    told = settings()
    if told.ingest_auth == "AWS_IAM":
        return IamGate()
    from reflexarc.adapters.dynamodb.tokens import (  # noqa: PLC0415 - not loaded under AWS_IAM
        DynamoTokens,
    )

    return TokenGate(DynamoTokens(clients.dynamodb(), told.incidents_table))
