"""Signals and routings to test with: each builder takes only what its test is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from reflexarc.events.envelope import Source
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Order, Signal
from reflexarc.incidents.config import default_routing
from reflexarc.incidents.model import Change, Routing
from reflexarc.incidents.rules import decide
from reflexarc.kernel.ids import ulid
from reflexarc.notify.model import Attempt, Receipt

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROUTING: Routing = default_routing("C0PAGES")
GPU = Entity(kind="gpu", node="node-7", device="0000:3b:00")


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def ulid_of(number: int) -> str:
    """Return a ULID of its own for each number."""
    return ulid(NOW, number.to_bytes(10, "big"))


def signal(
    number: int = 1,
    *,
    cause: str = "xid/79",
    severity: Severity = Severity.CRITICAL,
    seq: int | None = None,
    boot: str = "boot-a",
    seconds: float = 0,
    **fields: Any,
) -> Signal:
    """Return a fault on one GPU; `seq` gives it a place in its source's order."""
    moment = at(seconds)
    values: dict[str, Any] = {
        "schema_": "signal/1",
        "id": ulid_of(number),
        "sent_at": moment,
        "source": Source(node="node-7"),
        "entity": GPU,
        "cause": cause,
        "severity": severity,
        "title": f"title of {cause}",
        "first_at": moment,
        "last_at": moment,
        "order": None if seq is None else Order(boot_id=boot, seq=seq),
        "hops": Hops(observed_at=moment),
    }
    return Signal(**(values | fields))


def clear(number: int = 1, **fields: Any) -> Signal:
    """Return a verified repair of the same GPU."""
    return signal(number, kind="clear", **({"cause": "xid/154"} | fields))


def change(*signals: Signal, routing: Routing = ROUTING, after: Change | None = None) -> Change:
    """Return what the rules decide on these signals, after an earlier change if there is one."""
    return decide(after.incident if after else None, signals, routing, NOW)


def told(decided: Change) -> list[tuple[str, str, int]]:
    """Return what a change tells: (action, channel, generation), in row order."""
    return [
        (notice.action, notice.channel.name, notice.incident.generation)
        for notice in decided.notices
    ]


def attempt(detail: str = "") -> Attempt:
    """Return an attempt to tell Slack that worked."""
    return Attempt(
        channel="slack",
        action="trigger",
        outcome="sent",
        detail=detail,
        at=NOW,
        latency_ms=42,
        hops=Hops(observed_at=NOW, delivered_at=at(0.042)),
    )


def receipt(vendor_id: str = "1700000000.000100") -> Receipt:
    """Return what Slack calls a message."""
    return Receipt(vendor_id=vendor_id, destination="C0PAGES", via="slack", posted_at=NOW)
