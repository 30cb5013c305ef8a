"""Fills notify.ports.Undeliverable with the dead-letter queue of the sender."""

import json
from dataclasses import dataclass

from reflexarc.adapters.sqs.dead_letters import SqsDeadLetters, send_rejected
from reflexarc.events.notice import Notice
from reflexarc.notify.model import Task


@dataclass(frozen=True, slots=True)
class SqsUndeliverable:
    """Keeps a notice with the words that a vendor refused for good, where an alarm watches."""

    dead_letters: SqsDeadLetters

    def keep(self, notice: Notice, task: Task, reason: str) -> None:
        """Store it; raises Unavailable when it could not be stored."""
        refused = {"part": task.part, "action": task.action, "body": dict(task.body)}
        original = notice.model_dump(mode="json", by_alias=True) | {"refused": refused}
        what = f"{notice.channel.name}, {task.action} of {task.part}: {reason}"
        send_rejected(self.dead_letters, notice.row, json.dumps(original), what)
