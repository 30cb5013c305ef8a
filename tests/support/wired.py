"""The functions as they are deployed, wired to whatever answers their clients in this process."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest

from functions.gpu_alert.handler import handler as gpu_alert
from functions.incident.handler import handler as incident
from functions.notify.handler import handler as notify
from reflexarc.adapters.secrets.secrets_manager import SecretsManagerSecret
from reflexarc.kernel import pause
from reflexarc.runtime import (
    actions_wiring,
    clients,
    incident_wiring,
    notify_wiring,
    observability,
    senders,
    watchdog_wiring,
    wiring,
)
from samples.standins.server import ROUTING_KEY, SIGNING_SECRET, TOKEN
from tests.functions import environment
from tests.support.aws import REGION

TABLE, FLEET, SLACK_CHANNEL = "reflexarc-incidents", "reflexarc-fleet", "C0GPUALERTS"
PREFIX = f"https://sqs.{REGION}.amazonaws.com/123456789012/reflexarc-"
DEAD = "dlq"
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
# What infra/catalog.py deploys: who reads a queue, and how long one invocation may take.
READERS: Mapping[str, tuple[Handler, float]] = {
    "gpu-faults": (gpu_alert, 10),
    "signals": (incident, 10),
    "notify-slack.fifo": (notify, 10),
    "notify-pagerduty.fifo": (notify, 10),
    "notify-later": (notify, 10),
}
Call = Callable[[str, str, Mapping[str, Any]], object]
_BUILT = (
    wiring.fault_service,
    wiring.believed,
    incident_wiring.signal_intake,
    notify_wiring.delivery_service,
    watchdog_wiring.watchdog,
    actions_wiring.click_service,
)
_HERE: list[Call] = []
SECRETS: Mapping[str, Mapping[str, str]] = {
    "slack": {"token": TOKEN, "signing_secret": SIGNING_SECRET},
    "pagerduty": {"routing_key": ROUTING_KEY},
}


def live_in(
    patch: pytest.MonkeyPatch,
    *,
    clock: Callable[[], datetime],
    pool: Callable[..., object],
    call: Call,
) -> None:
    """Let the functions of this process live by this clock, and reach AWS and vendors so."""
    for name, value in environment_of().items():
        patch.setenv(name, value)
    for module in (wiring, incident_wiring, notify_wiring, watchdog_wiring, actions_wiring):
        patch.setattr(module, "system_clock", clock)
    secret = partial(SecretsManagerSecret, monotonic=lambda: clock().timestamp())
    for module in (senders, actions_wiring):
        patch.setattr(module, "SecretsManagerSecret", secret)
    for module in (senders, watchdog_wiring):
        patch.setattr(module, "HttpPool", pool)
    patch.setattr(pause, "time", SimpleNamespace(sleep=lambda _: None))
    patch.setattr(clients, "_client", lambda service, **_: client_of(service))
    _HERE[:] = [call]
    observability.logger.cache_clear()
    observability.metrics.cache_clear()
    patch.setattr(observability.metrics(), "add_metric", lambda **_: None)
    forget()


@cache
def client_of(service: str) -> Any:
    """Return botocore's own client, whose requests end here."""
    client: Any = botocore.session.get_session().create_client(
        service, REGION, aws_access_key_id="nobody", aws_secret_access_key="nobody"
    )
    client._make_api_call = lambda operation, params: _HERE[-1](service, operation, params)
    return client


def environment_of() -> dict[str, str]:
    names = {
        "GPU_FAULTS": "gpu-faults",
        "SIGNALS": "signals",
        "NOTIFY_SLACK": "notify-slack.fifo",
        "NOTIFY_PAGERDUTY": "notify-pagerduty.fifo",
        "NOTIFY_OTHERS": "notify-others.fifo",
        "NOTIFY_LATER": "notify-later",
        "REJECTED": DEAD,
    }
    return {
        **environment.NOTIFY,
        **environment.GPU_ALERT,
        **environment.INCIDENT,
        **environment.WATCHDOG,
        **{f"{name}_QUEUE_URL": f"{PREFIX}{queue}" for name, queue in names.items()},
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "INCIDENTS_TABLE": TABLE,
        "FLEET_TABLE": FLEET,
        "SLACK_CHANNEL": SLACK_CHANNEL,
        "SLACK_SECRET_ARN": "slack",
        "PAGERDUTY_SECRET_ARN": "pagerduty",
    }


def forget() -> None:
    """Let the next invocation start from cold."""
    for built in _BUILT:
        built.cache_clear()
