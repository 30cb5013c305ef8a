"""Incidents and policies to test with: each builder takes only what its test is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from reflexarc.events.incident import Cause, Incident
from reflexarc.events.page import Silence
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops
from reflexarc.incidents.config import IncidentsConfig
from reflexarc.incidents.model import Policy
from tests.support.incidents import GPU, NOW

CHANNELS = (
    {"name": "pager", "kind": "pagerduty"},
    {"name": "gpu-alerts", "kind": "slack", "destination": "C0GPUALERTS"},
    {"name": "ml-jobs", "kind": "slack", "destination": "C0MLJOBS"},
)


def broken(
    cause: str = "xid/79",
    *,
    severity: str = "critical",
    entity: Entity = GPU,
    others: tuple[str, ...] = (),
    **fields: Any,
) -> Incident:
    """Return an open incident; `others` are causes beside the gravest."""
    values: dict[str, Any] = {
        "fingerprint": entity.fingerprint,
        "generation": 1,
        "version": 1,
        "state": "open",
        "severity": Severity(severity),
        "entity": entity,
        "cause": cause,
        "title": f"title of {cause}",
        "causes": tuple(_cause(name, severity) for name in (cause, *others)),
        "first_at": NOW,
        "last_at": NOW,
        "opened_at": NOW,
        "hops": Hops(observed_at=NOW),
    }
    return Incident(**(values | fields))


def _cause(name: str, severity: str) -> Cause:
    return Cause(
        cause=name,
        title=name,
        severity=Severity(severity),
        count=1,
        first_at=NOW,
        last_at=NOW,
    )


def stated(**parts: Any) -> IncidentsConfig:
    """Return an incidents part as a document states it, with three channels."""
    return IncidentsConfig.model_validate({"channels": CHANNELS} | parts)


def policy(*, silences: tuple[Silence, ...] = (), **parts: Any) -> Policy:
    """Return what the rules decide by."""
    return stated(**parts).policy(silences)


def silence(silence_id: str = "S1", *, lasts: float = 3600, **fields: Any) -> Silence:
    """Return a silence of node-7 that begins at NOW; `lasts` is in seconds."""
    values: dict[str, Any] = {
        "id": silence_id,
        "labels": {"node": "node-7"},
        "starts_at": NOW,
        "ends_at": NOW + timedelta(seconds=lasts),
        "author": "night-shift",
        "reason": "the riser is being replaced",
        "created_at": NOW,
    }
    return Silence(**(values | fields))


def utc(written: str) -> datetime:
    """Return a moment of UTC: 2026-03-01 12:00."""
    return datetime.fromisoformat(written).replace(tzinfo=UTC)
