"""What a queue hands to a function, and what became of it; slices that read queues share this."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# The reason of an outcome that was none: the message only kept its function warm.
CANARY = "canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as the queue handed it over.

    `witness`: telemetry_rules sent it, which tells what a forwarder saw of a node. It speaks for
    no node, whoever the forwarder is. `relayed`: ingest sent it, which looks at what it takes.
    `receives`: how often the queue handed it over, about.
    """

    message_id: str
    body: str
    sender: str
    queued_at: datetime
    witness: bool = False
    relayed: bool = False
    receives: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one delivery: a retry is asked for only when waiting can help."""

    message_id: str
    status: Literal["done", "rejected", "retry"]
    reason: str = ""
