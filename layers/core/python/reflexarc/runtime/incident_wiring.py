"""Builds what incident calls: signals, what people did, steps that are due, checks of silence."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from reflexarc.adapters.dynamodb.fleet_silence import NodeSilence
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.leavers import DynamoLeavers
from reflexarc.adapters.dynamodb.silences import DynamoSilences
from reflexarc.adapters.sqs.timers import SqsTimers
from reflexarc.events.action import Action, Timer
from reflexarc.events.delivery import Delivery
from reflexarc.events.problems import problems_of
from reflexarc.events.signal import Signal
from reflexarc.gpu.silence_service import SilenceChecks
from reflexarc.incidents.acts import ActionService
from reflexarc.incidents.closing import Closing
from reflexarc.incidents.ending import Ending
from reflexarc.incidents.intake import SignalIntake
from reflexarc.incidents.ports import Answers
from reflexarc.incidents.steps import StepService
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import Rejected
from reflexarc.runtime import clients
from reflexarc.runtime.config import PinnedConfiguration
from reflexarc.runtime.settings import IncidentSettings
from reflexarc.runtime.wiring import configuration_of, dead_letters, incident_service, wake_ups

Message = TypeVar("Message", bound=BaseModel)
PROBLEMS_MAX = 5


@cache
def signal_intake() -> SignalIntake:
    """Build what incident calls."""
    settings = IncidentSettings.load()
    configuration = configuration_of(settings.incidents_table)
    silence = _silence(settings, configuration)
    return SignalIntake(
        incidents=incident_service(settings, configuration),
        dead_letters=dead_letters(settings.rejected_queue_url),
        clock=system_clock,
        readers={
            "action/1": _reader(Action, lambda each: _acts(settings, configuration).apply(each)),
            "timer/1": _reader(Timer, lambda each: _steps(settings, configuration).tick(each)),
            **{schema: partial(_of_silence, silence, schema) for schema in silence.schemas},
        },
    )


def _of_silence(silence: SilenceChecks, schema: str, delivery: Delivery) -> Sequence[Signal]:
    return silence.signals_of(schema, delivery.body)


def _silence(settings: IncidentSettings, configuration: PinnedConfiguration) -> SilenceChecks:
    dynamodb = clients.dynamodb()
    return SilenceChecks(
        silent=NodeSilence(dynamodb, settings.fleet_table),
        leavers=DynamoLeavers(dynamodb, settings.incidents_table),
        policy=lambda: configuration.current().gpu,
        clock=system_clock,
    )


def _acts(settings: IncidentSettings, configuration: PinnedConfiguration) -> ActionService:
    return ActionService(
        book=_book(settings),
        silences=DynamoSilences(clients.dynamodb(), settings.incidents_table),
        answers=_answers(settings),
        wake_ups=wake_ups(settings),
        ending=_ending(settings, configuration),
        policy=lambda: configuration.policy(settings.slack_channel),
        clock=system_clock,
    )


def _steps(settings: IncidentSettings, configuration: PinnedConfiguration) -> StepService:
    return StepService(
        book=_book(settings),
        wake_ups=wake_ups(settings),
        timers=SqsTimers(clients.sqs(), settings.signals_queue_url),
        ending=_ending(settings, configuration),
        closing=Closing(book=_book(settings), clock=system_clock),
        policy=lambda: configuration.policy(settings.slack_channel),
        clock=system_clock,
    )


def _ending(settings: IncidentSettings, configuration: PinnedConfiguration) -> Ending:
    return Ending(
        book=_book(settings),
        policy=lambda: configuration.policy(settings.slack_channel),
        clock=system_clock,
    )


def _book(settings: IncidentSettings) -> DynamoIncidentBook:
    return DynamoIncidentBook(clients.dynamodb(), settings.incidents_table)


def _answers(settings: IncidentSettings) -> Answers:
    """Build what speaks to a person in Slack; loaded when somebody did something."""
    from reflexarc.runtime.senders import slack_answers  # noqa: PLC0415 - one message in a thousand

    return slack_answers(settings.slack_secret_arn, settings.slack_api_url)


def _reader(
    model: type[Message], work: Callable[[Message], None]
) -> Callable[[Delivery], Sequence[Signal]]:
    """Return what reads a message of one model and does its work; no signal follows from it."""

    def read(delivery: Delivery) -> Sequence[Signal]:
        try:
            message = model.model_validate_json(delivery.body)
        except ValidationError as error:
            raise Rejected("; ".join(problems_of(error, "message")[:PROBLEMS_MAX])) from error
        work(message)
        return ()

    return read
