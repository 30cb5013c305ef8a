"""Signals to test with: each builder takes only what its test is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from reflexarc.events.envelope import Source
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Order, Signal
from reflexarc.kernel.ids import ulid

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
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
