"""Wiring for people who look after telemetry: its document, what it saved, and the archive."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reflexarc.adapters.dynamodb.config_document import TELEMETRY, ConfigDocument
from reflexarc.adapters.dynamodb.telemetry_accounts import TelemetryAccounts
from reflexarc.adapters.s3.archived_batches import ArchivedBatches
from reflexarc.engines.redact.policy import TRIAL_SALT
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.runtime.operator import advice, outputs_of
from reflexarc.runtime.telemetry_config import parse
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.ruleset import RuleSet

_TABLE, _ACCOUNTS, _BUCKET = "IncidentsTableName", "TelemetryTableName", "TelemetryBucketName"
Archived = Callable[[datetime, datetime, tuple[OtlpSignal, ...]], ArchivedBatches]


@dataclass(frozen=True, slots=True)
class TelemetryDeployment:
    """One deployed stack, as who looks after its telemetry sees it."""

    documents: ConfigDocument
    accounts: TelemetryAccounts
    archive: Archived

    def push(self, text: str, seen: int) -> int:
        """Make a JSON document the live one; return its version.

        `seen` is the version that its author saw. Raises Rejected for a document that the
        functions would refuse, and when another was pushed meanwhile.
        """
        now = self.now()
        config = parse(text)
        RuleSet(
            config.rules,
            READS,
            version=seen + 1,
            today=now.astimezone(UTC).date(),
            salt=TRIAL_SALT,
        )
        return self.documents.push(text, seen, now)

    def rollback(self, version: int | None) -> tuple[int, int]:
        """Push an earlier version again, the one before the live one where none is named.

        Return the new version's number and that of the version whose text it has.
        """
        live = self.documents.live_version()
        earlier = live - 1 if version is None else version
        text = self.documents.version(earlier) if earlier > 0 else None
        if text is None:
            raise Rejected(
                f"there is no version {earlier} of the telemetry document"
                if version
                else "there is no version before the live one"
            )
        return self.push(text, live), earlier

    def now(self) -> datetime:
        """Return the current instant."""
        return system_clock()


def find(stack: str, endpoint: str | None) -> TelemetryDeployment:
    """Open a stack by its name; raises Unavailable with what to do."""
    try:
        session = boto3.Session()
        cloudformation = session.client("cloudformation", endpoint_url=endpoint)
        outputs = outputs_of(cloudformation, stack)
        dynamodb = session.client("dynamodb", endpoint_url=endpoint)
        # As many connections as ArchivedBatches reads objects at once.
        s3 = session.client("s3", endpoint_url=endpoint, config=Config(max_pool_connections=16))
    except (BotoCoreError, ClientError) as error:
        raise Unavailable(advice(stack, error)) from error
    if _ACCOUNTS not in outputs or _BUCKET not in outputs:
        raise Unavailable(f"stack {stack} knows no telemetry rules: deploy this version first")
    return TelemetryDeployment(
        ConfigDocument(dynamodb, outputs[_TABLE], TELEMETRY),
        TelemetryAccounts(dynamodb, outputs[_ACCOUNTS]),
        lambda since, until, signals: ArchivedBatches(s3, outputs[_BUCKET], since, until, signals),
    )
