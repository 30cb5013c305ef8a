"""The only place that reads the environment: one frozen class per function.

`infra/catalog.py` lists the same names; a test compares them.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reflexarc.kernel.errors import Unavailable


class Settings(BaseModel):
    """One function's settings. Fields are the lower-case names of environment variables."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read this class's fields, failing once with every problem named."""
        present = {
            name: environ[name.upper()] for name in cls.model_fields if name.upper() in environ
        }
        try:
            return cls.model_validate(present)
        except ValidationError as error:
            problems = "; ".join(
                f"{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors()
            )
            raise Unavailable(f"the function's environment is incomplete: {problems}") from error


class WakingSettings(Settings):
    """What it takes to record an incident and wake its senders."""

    incidents_table: str
    notify_slack_queue_url: str
    notify_pagerduty_queue_url: str
    notify_others_queue_url: str


class RecordingSettings(WakingSettings):
    """What it takes to turn messages into incidents."""

    rejected_queue_url: str
    signals_queue_url: str
    slack_channel: str


class RelayedSettings(Settings):
    """Whose word counts on who sent a message: roles of our own functions, by their unique ids."""

    ingest_role_id: str = ""
    telemetry_role_id: str = ""


class GpuAlertSettings(RelayedSettings, RecordingSettings):
    """Settings of functions/gpu_alert."""

    fleet_table: str


class IncidentSettings(RecordingSettings):
    """Settings of functions/incident."""

    fleet_table: str
    slack_secret_arn: str
    slack_api_url: str = "https://slack.com/api"


class GpuReadingSettings(RelayedSettings):
    """Settings of functions/gpu_reading."""

    incidents_table: str
    fleet_table: str
    rejected_queue_url: str
    signals_queue_url: str
    usage_retention_days: Annotated[int, Field(ge=1)] = 90


class NotifySettings(WakingSettings):
    """Settings of functions/notify."""

    rejected_queue_url: str
    notify_later_queue_url: str
    slack_secret_arn: str
    pagerduty_secret_arn: str
    webhook_secret_arn: str
    alerts_topic_arn: str
    slack_api_url: str = "https://slack.com/api"
    pagerduty_url: str = "https://events.pagerduty.com"


class WatchdogSettings(WakingSettings):
    """Settings of functions/watchdog."""

    fleet_table: str
    gpu_faults_queue_url: str
    signals_queue_url: str


class SlackActionSettings(Settings):
    """Settings of functions/slack_action."""

    incidents_table: str
    signals_queue_url: str
    slack_secret_arn: str


class IngestSettings(Settings):
    """Settings of functions/ingest."""

    incidents_table: str
    gpu_faults_queue_url: str
    gpu_readings_queue_url: str
    telemetry_queue_url: str
    telemetry_bucket: str
    ingest_auth: Literal["AWS_IAM", "TOKEN"]


class TelemetryRulesSettings(Settings):
    """Settings of functions/telemetry_rules."""

    ingest_role_id: str = ""

    incidents_table: str
    telemetry_table: str
    telemetry_bucket: str
    rejected_queue_url: str
    forward_queue_url: str
    forward_rejected_queue_url: str
    gpu_faults_queue_url: str
    gpu_readings_queue_url: str
    llm_spans_queue_url: str
    series_queue_url: str
    backends_secret_arn: str
