"""All of AWS that the functions meet, in memory: tables, queues, deaths, and a clock of its own.

The handlers are the real ones, wired as deployed. Trouble may strike before and after every call
that leaves them: the process dies there, another invocation runs there, the store refuses, an
answer is lost, or the client's own retry repeats what had its effect already.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.notify.handler import handler as notify
from functions.slack_action.handler import handler as slack_action
from functions.watchdog.handler import handler as watchdog
from infra.catalog import QUEUES
from reflexarc.kernel.clock import epoch_ms
from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime import observability
from samples.standins.limits import Limits
from samples.standins.pagerduty import PagerDutyStandIn
from samples.standins.server import ROUTING_KEY, TOKEN
from samples.standins.slack import SlackStandIn
from tests.support import wired
from tests.support.aws import REGION
from tests.support.line import ANYWHERE, BEFORE, Line
from tests.support.notices import NOW
from tests.support.tables import Tables, refusal
from tests.support.wired import DEAD, PREFIX, READERS, SECRETS, TABLE, Handler

RE_WAKES_MAX = 4
TICKS = "the watchdog's rule"
_QUEUE_BEFORE = ANYWHERE | {"throttled"}
_WRITE_BEFORE = _QUEUE_BEFORE | {"conflict"}
_AFTER = ANYWHERE | {"lost", "again"}
TROUBLES = tuple(sorted(_WRITE_BEFORE | _AFTER | BEFORE))
_READS = frozenset({"GetItem", "BatchGetItem", "Query"})


class Died(BaseException):
    """The process ended here: killed, out of memory, timed out."""


class Broken(BaseException):
    """A promise is broken: no function may take this for an error of its own and go on."""


@dataclass
class Message:
    """A message of a queue; `copy` marks one that the test doubled."""

    number: int
    body: str
    sent_at: datetime
    visible_at: datetime
    sender: str
    receives: int = 0
    copy: bool = False


@dataclass(frozen=True)
class Running:
    """An invocation under way."""

    queue: str
    messages: tuple[Message, ...]
    started_at: datetime
    timeout_s: float


@dataclass
class Cloud:
    """AWS, the vendors and the clock; `troubles` says what goes wrong at which of the next calls.

    Each trouble is the number of the call's end (two ends a call) after which it strikes, and what
    it is; it strikes at the first end that it fits.
    """

    now: datetime = NOW
    tables: Tables = field(default_factory=Tables)
    queues: dict[str, list[Message]] = field(default_factory=dict)
    troubles: list[tuple[int, str]] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    forsaken: set[str] = field(default_factory=set)
    """Delivery groups whose message was lost on its way: the sweep is who comes back."""
    calls: list[tuple[str, Mapping[str, Any], object]] = field(default_factory=list)
    recording: bool = False
    looks: int = 0
    choices: int = 0
    others: tuple[str, ...] = tuple(READERS)
    """The queues whose messages another invocation may take meanwhile."""
    _points: int = 0
    _numbers: int = 0

    def __post_init__(self) -> None:
        """Build the vendors on this clock."""
        self.queues |= {name: [] for name in (*READERS, "notify-others.fifo", DEAD)}

        def seconds() -> float:
            return self.now.timestamp()

        self.slack = SlackStandIn(
            token=TOKEN,
            webhook_path="",
            webhook_channel="",
            posts=Limits(1, 4, seconds),
            calls=Limits(50 / 60, 50, seconds),
            clock=seconds,
        )
        self.pagerduty = PagerDutyStandIn(ROUTING_KEY, Limits(2, 120, seconds))

    @contextmanager
    def open(self) -> Iterator["Cloud"]:
        """Let the functions of this process live here."""
        with pytest.MonkeyPatch.context() as patch:
            wired.live_in(patch, clock=self.clock, pool=lambda **_: Line(self), call=self.call)
            yield self
            wired.forget()
        observability.logger.cache_clear()
        observability.metrics.cache_clear()

    def clock(self) -> datetime:
        """Return the time here."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def send(self, queue: str, body: str, sender: str = "AROAEXAMPLEROLE:i-1") -> Message:
        """Put a message on a queue."""
        return self._put(queue, body, sender, 0)

    def due(self, queue: str) -> list[Message]:
        """Return the messages of a queue that may be received now."""
        return [each for each in self.queues[queue] if each.visible_at <= self.now]

    def deliver(self, queue: str, messages: Sequence[Message]) -> bool:
        """Let the queue's reader have these messages; False when that process died."""
        handler, timeout_s = READERS[queue]
        received = tuple(each for each in messages if self._received(queue, each))
        if not received:
            return True
        event = {"Records": [_record(queue, each) for each in received]}
        answer = self.invoke(Running(queue, received, self.now, timeout_s), handler, event)
        if answer is None:
            return False
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        done = [each for each in received if str(each.number) not in failed]
        self.queues[queue] = [each for each in self.queues[queue] if each not in done]
        if handler is notify:
            self._looked(done)
        return True

    def tick(self) -> None:
        """Let the watchdog do its chores; what fails is done a minute later."""
        try:
            self.invoke(Running(TICKS, (), self.now, 50), watchdog, {})
        except Unavailable:
            return

    def click(self, headers: Mapping[str, str], body: bytes) -> int:
        """Let Slack post a click; return the status that it is answered with (502: it died)."""
        event = {
            "requestContext": {"http": {"method": "POST"}},
            "headers": {name.lower(): value for name, value in headers.items()},
            "body": body.decode(),
            "isBase64Encoded": False,
        }
        answer = self.invoke(Running("a click", (), self.now, 10), slack_action, event)
        return 502 if answer is None else int(answer["statusCode"])

    def invoke(
        self, run: Running, handler: Handler, event: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Run a function; None when its process died, and the next one starts from cold."""
        self.running.append(run)
        try:
            return handler(event, None)
        except Died:
            wired.forget()
            self._forsake(run)
            return None
        except Broken as promise:
            if len(self.running) > 1:
                raise
            raise AssertionError(str(promise)) from promise
        finally:
            self.running.pop()

    def groups_owed(self) -> set[str]:
        """Return the delivery groups with rows that wait."""
        rows = self.tables.rows(TABLE, "OUT#", "ROW#")
        return {row["pk"]["S"].removeprefix("OUT#") for row in rows}

    def call(self, service: str, operation: str, params: Mapping[str, Any]) -> object:
        """Answer a client's call, if nothing goes wrong."""
        self.forward(0.003)
        writes = service == "dynamodb" and operation not in _READS
        trouble = self.meet(_WRITE_BEFORE if writes else _QUEUE_BEFORE)
        if trouble in {"throttled", "conflict"}:
            self._unsent(operation, params)
            raise _refused(trouble, operation, params)
        answer = self._done(service, operation, params)
        trouble = self.meet(_AFTER)
        if trouble == "again" and operation != "TransactWriteItems":  # its token makes it once
            return self._done(service, operation, params)
        if trouble == "lost":
            self.forward(3)
            self._unsent(operation, params)
            raise ReadTimeoutError(endpoint_url=service)
        return answer

    def meet(self, may: frozenset[str]) -> str:
        """Let something happen at this end of a call; return what its caller must do."""
        self._points += 1
        fits = [each for each in self.troubles if each[0] <= self._points and each[1] in may]
        chosen = ""
        if fits and self.running:
            self.troubles.remove(fits[0])
            chosen = fits[0][1]
        if chosen == "tick":
            self.forward(1.5)
        elif chosen in {"twin", "other"} and len(self.running) < 3:
            self._meanwhile(chosen)
        run = self.running[-1] if self.running else None
        late = run is not None and self.now - run.started_at > timedelta(seconds=run.timeout_s)
        if chosen == "die" or late:
            raise Died
        return chosen

    def plan(self, troubles: Sequence[tuple[int, str]]) -> None:
        """Let these things go wrong, counted from the next call on, and nothing else."""
        self._points = 0
        self.troubles = sorted(troubles)

    def _meanwhile(self, what: str) -> None:
        """Let another invocation run: on the same messages once more, or on others that are due."""
        run = self.running[-1]
        if what == "twin" and run.queue in READERS:
            self.deliver(run.queue, [self.double(run.queue, each) for each in run.messages])
            return
        due = [(queue, each) for queue in self.others for each in self.due(queue)]
        if due:
            self.choices += 1
            queue, message = due[self.choices * 7 % len(due)]
            self.deliver(queue, [message])

    def double(self, queue: str, message: Message) -> Message:
        """Put a copy of a message on its queue: at least once is not once."""
        copy = self._put(queue, message.body, message.sender, 0)
        copy.copy = True
        return copy

    def lose(self, queue: str, message: Message) -> None:
        """Let a message vanish."""
        self.queues[queue].remove(message)
        if "notify" in queue:
            self.forsaken.add(_group(message))

    def _put(self, queue: str, body: str, sender: str, delay_s: int) -> Message:
        self._numbers += 1
        visible_at = self.now + timedelta(seconds=delay_s)
        message = Message(self._numbers, body, self.now, visible_at, sender)
        self.queues[queue].append(message)
        return message

    def _received(self, queue: str, message: Message) -> bool:
        """Hide a message for a while; False when it was received too often and is put aside."""
        settings = next(each for each in QUEUES if each.name == queue.removesuffix(".fifo"))
        message.receives += 1
        message.visible_at = self.now + timedelta(seconds=settings.visibility_s)
        if message.receives <= settings.max_receive:
            return True
        self.queues[queue].remove(message)
        self.queues[DEAD].append(message)
        return False

    def _done(self, service: str, operation: str, params: Mapping[str, Any]) -> object:
        if service == "dynamodb":
            return self._stored(operation, params)
        if operation == "GetSecretValue":
            return {"SecretString": json.dumps(SECRETS[params["SecretId"]])}
        queue = params["QueueUrl"].removeprefix(PREFIX)
        entries = params.get("Entries") or [params]
        for entry in entries:
            self._put(queue, entry["MessageBody"], "AROAREFLEXARC:f", entry.get("DelaySeconds", 0))
        if queue == "notify-later":
            self._check_re_wakes(entries[0]["MessageBody"])
        return {"MessageId": "m", "Successful": [{"Id": entry.get("Id")} for entry in entries]}

    def _stored(self, operation: str, params: Mapping[str, Any]) -> object:
        if not self.recording:
            return self.tables.call(operation, params)
        try:
            answer: object = self.tables.call(operation, params)
        except Exception as error:
            self.calls.append((operation, params, error))
            raise
        self.calls.append((operation, params, answer))
        return answer

    def _unsent(self, operation: str, params: Mapping[str, Any]) -> None:
        """Remember whom a message would have woken that its sender believes unsent."""
        if operation.startswith("SendMessage") and "notify" in params["QueueUrl"]:
            for entry in params.get("Entries") or [params]:
                self.forsaken.add(json.loads(entry["MessageBody"]).get("group", ""))

    def _forsake(self, run: Running) -> None:
        """Remember whom a dead process may not have woken; its own message comes back."""
        if run.queue in READERS and READERS[run.queue][0] is notify:
            self.forsaken |= self.groups_owed()

    def _check_re_wakes(self, body: str) -> None:
        """A group has one re-wake, and few that a sooner one has overtaken.

        One that is due within a second may be thought gone: SQS delays by whole seconds.
        """
        soon = self.now + timedelta(seconds=1)
        planned = [
            each
            for each in self.queues["notify-later"]
            if each.body == body and each.visible_at > soon and not (each.copy or each.receives)
        ]
        if len({each.visible_at for each in planned}) > RE_WAKES_MAX:
            raise Broken("re-wakes multiply")

    def _looked(self, done: Sequence[Message]) -> None:
        """Check what a look that went through has left: nothing, or somebody who comes back."""
        owed = self.groups_owed()
        self.forsaken &= owed
        for group in {_group(message) for message in done} & owed - self.forsaken:
            wakes = (
                each
                for queue in READERS
                if "notify" in queue
                for each in self.queues[queue]
                if _group(each) == group
            )
            # Who recorded a change and died, or failed, gets its message again, and wakes.
            again = (each for queue in ("gpu-faults", "signals") for each in self.queues[queue])
            if not (self.running or any(wakes) or any(each.receives for each in again)):
                raise AssertionError(f"{group}: rows are left, and nobody comes back")

    def looked(self) -> None:
        """Count a call of a vendor."""
        self.looks += 1


def _record(queue: str, message: Message) -> dict[str, Any]:
    return {
        "messageId": str(message.number),
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.receives),
            "SentTimestamp": str(epoch_ms(message.sent_at)),
            "SenderId": message.sender,
        },
        "messageAttributes": {},
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:reflexarc-{queue}",
    }


def _refused(trouble: str, operation: str, params: Mapping[str, Any]) -> Exception:
    if trouble == "throttled":
        return refusal("ThrottlingException", operation)
    if operation != "TransactWriteItems":
        return refusal("TransactionConflictException", operation)
    reasons = [{"Code": "TransactionConflict"}, *[{"Code": "None"}] * len(params["TransactItems"])]
    return refusal("TransactionCanceledException", operation, CancellationReasons=reasons[:-1])


def _group(message: Message) -> str:
    group: str = json.loads(message.body).get("group", "")
    return group
