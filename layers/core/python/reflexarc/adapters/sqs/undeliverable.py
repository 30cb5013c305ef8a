"""Fills notify.ports.Undeliverable with the dead-letter queue of the sender."""

from dataclasses import dataclass

from reflexarc.adapters.sqs.dead_letters import SqsDeadLetters, send_rejected
from reflexarc.events.notice import Notice


@dataclass(frozen=True, slots=True)
class SqsUndeliverable:
    """Keeps a notice that a vendor refused for good, whole, where an alarm watches."""

    dead_letters: SqsDeadLetters

    def keep(self, notice: Notice, reason: str) -> None:
        """Store it; raises Unavailable when it could not be stored."""
        original = notice.model_dump_json(by_alias=True)
        send_rejected(self.dead_letters, notice.row, original, f"{notice.channel.name}: {reason}")
