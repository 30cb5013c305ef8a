"""Wiring for people at a terminal: opens the dead-letter queues of a deployed stack."""

from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from reflexarc.adapters.sqs.dead_letter_queues import (
    DeadLetterQueue,
    DeadLetterQueues,
    Depth,
    Letter,
    queues_of,
)
from reflexarc.adapters.sqs.redrive import Redrive
from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime.operator import advice, outputs_of

__all__ = ["DeadLetterQueue", "DeadLetters", "Depth", "Letter", "find_dead_letters"]


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """What an operator does with dead letters: look, send again, drop."""

    queues: DeadLetterQueues
    redrive: Redrive


def find_dead_letters(stack: str, endpoint: str | None) -> DeadLetters:
    """Open a stack's dead-letter queues by its name; raises Unavailable with what to do."""
    try:
        session = boto3.Session()
        outputs = outputs_of(session.client("cloudformation", endpoint_url=endpoint), stack)
        sqs = session.client("sqs", endpoint_url=endpoint)
        functions = session.client("lambda", endpoint_url=endpoint)
    except (BotoCoreError, ClientError) as error:
        raise Unavailable(advice(stack, error)) from error
    return DeadLetters(DeadLetterQueues(sqs, queues_of(outputs, stack)), Redrive(sqs, functions))
