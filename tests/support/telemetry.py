"""telemetry_rules in memory: every port of the service, a backend on a list, trouble on order."""

import base64
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reflexarc.adapters.dcgm.telemetry import DcgmTelemetry
from reflexarc.adapters.memory.queues import MemoryDeadLetters
from reflexarc.adapters.memory.telemetry_rules import (
    MemoryArchive,
    MemoryForwardQueue,
    MemoryLedger,
    MemoryOthers,
    MemoryRefusals,
    MemoryTelemetryObjects,
)
from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.otlp.splicing import spliced
from reflexarc.engines.redact.model import Redacted
from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.envelope import Source
from reflexarc.events.otlp_batch import OtlpBatch, OtlpSignal
from reflexarc.events.packed import Encoding
from reflexarc.kernel.ids import ulid
from reflexarc.runtime.telemetry_wiring import NodeLog, may_tell
from reflexarc.telemetry import model
from reflexarc.telemetry.accounting import Tally, tallied
from reflexarc.telemetry.backends import Backend, Forwarding
from reflexarc.telemetry.batches import BatchWork, Done, Policy
from reflexarc.telemetry.forwarding import Forwarder
from reflexarc.telemetry.handing_on import HandingOn
from reflexarc.telemetry.model import Account, RuleCount
from reflexarc.telemetry.packing import packed, unpacked
from reflexarc.telemetry.parts import counts_of
from reflexarc.telemetry.service import TelemetryService
from tests.support.otlp import NOW, span_ids

_numbers = itertools.count()
Answer = tuple[int, str] | Exception


class Crash(BaseException):
    """The function is killed: nothing catches this."""


@dataclass(slots=True)
class DropEvery:
    """Rules that drop one item in so many: the simplest that take something away."""

    one_in: int = 0
    version: int = 3

    def apply(self, signal: OtlpSignal, payload: bytes) -> model.Outcome:
        parts = framed(payload)
        counts = counts_of(signal, payload)
        gone = [n for n in range(len(parts.starts)) if self.one_in and n % self.one_in == 0]
        kept = spliced(parts, dict.fromkeys(gone))
        removed = sum(counts[number] for number in gone)
        size = sum(parts.size(number) for number in gone)
        rule = RuleCount(rule="noise", action="drop", matched=removed, removed=removed, size=size)
        account = Account(
            signal=signal,
            version=self.version,
            received=sum(counts),
            received_size=len(payload),
            kept=sum(counts) - removed,
            kept_size=len(kept),
            rules=(rule,) if gone else (),
        )
        return model.Outcome(payload=kept, account=account)


@dataclass(slots=True)
class Replace:
    """A redactor that replaces one text with another of the same length."""

    secret: bytes = b"alice@example.com"

    def apply(self, signal: OtlpSignal, payload: bytes, *, parsed: bool = False) -> Redacted:
        del signal, parsed
        if self.secret not in payload:
            return Redacted(payload, {})
        found = payload.count(self.secret)
        return Redacted(payload.replace(self.secret, b"*" * len(self.secret)), {"email": found})


@dataclass(slots=True)
class Post:
    """A request that a backend took."""

    backend: str
    signal: OtlpSignal
    body: bytes
    encoding: Encoding

    @property
    def payload(self) -> bytes:
        """Return the request unpacked."""
        return unpacked(self.body, self.encoding)


@dataclass
class BackendsOnAList:
    """An Exporter that keeps what it took; `answers` says what each backend says, in order."""

    posts: list[Post] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answers: dict[str, Iterator[Answer]] = field(default_factory=dict)

    def send(
        self, backend: Backend, signal: OtlpSignal, body: bytes, encoding: Encoding
    ) -> tuple[int, str]:
        self.asked.append(backend.name)
        answer = next(self.answers.get(backend.name, iter(())), (0, ""))
        if isinstance(answer, Exception):
            raise answer
        self.posts.append(Post(backend.name, signal, body, encoding))
        return answer

    def spans(self, backend: str) -> Counter[tuple[bytes, bytes]]:
        """Return how often a backend has each (trace id, span id)."""
        found: Counter[tuple[bytes, bytes]] = Counter()
        for post in self.posts:
            if post.backend == backend and post.signal == "traces":
                found.update(span_ids(post.payload))
        return found


@dataclass
class World:
    """The service on ports in memory. `step` is called before every effect, and may crash."""

    forwarding: dict[str, Any] = field(default_factory=dict)
    rules: Any = field(default_factory=DropEvery)
    redactor: Any = field(default_factory=Replace)
    backends: BackendsOnAList = field(default_factory=BackendsOnAList)
    objects: Any = field(default_factory=MemoryTelemetryObjects)
    archive: Any = field(default_factory=MemoryArchive)
    ledger: Any = field(default_factory=MemoryLedger)
    queue: Any = field(default_factory=MemoryForwardQueue)
    refusals: Any = field(default_factory=MemoryRefusals)
    others: Any = field(default_factory=MemoryOthers)
    letters: Any = field(default_factory=MemoryDeadLetters)
    now: datetime = NOW
    hurried: bool = False
    failing: list[tuple[str, str]] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    step: Callable[[], None] = lambda: None
    _service: TelemetryService | None = None

    def react(self, *deliveries: Delivery) -> tuple[Outcome, ...]:
        """Hand messages to the service of one execution environment."""
        if self._service is None:
            self._service = self.made()
        return self._service.react(deliveries)

    def made(self) -> TelemetryService:
        """Return the service of a new execution environment."""
        objects, queue = self._stepping(self.objects), self._stepping(self.queue)
        forwarder = Forwarder(
            exporter=self._stepping(self.backends),
            payloads=objects,
            queue=queue,
            refusals=self._stepping(self.refusals),
            clock=lambda: self.now,
            failing=lambda name, why: self.failing.append((name, why)),
            hurried=lambda: self.hurried,
        )
        work = BatchWork(
            payloads=objects,
            archive=self._stepping(self.archive),
            handing_on=HandingOn(
                others=self._stepping(self.others),
                payloads=objects,
                kernel_log=NodeLog,
                gpu_page=DcgmTelemetry(),
                may_tell=may_tell,
                clock=lambda: self.now,
            ),
            forwarder=forwarder,
            look=lambda name, *_: self.looked.append(name),
        )
        return TelemetryService(
            work=work,
            forwarder=forwarder,
            payloads=objects,
            ledger=self._stepping(self.ledger),
            dead_letters=self._stepping(self.letters),
            report=self.done.append,
            policy=self.policy,
            bucket="telemetry",
            clock=lambda: self.now,
            hurried=lambda: self.hurried,
        )

    def policy(self) -> Policy:
        return Policy(
            version=3,
            rules=self.rules,
            rules_number=1,
            redactor=self.redactor,
            forwarding=Forwarding.model_validate(self.forwarding),
        )

    def restart(self) -> None:
        """Begin a new execution environment."""
        self._service = None

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    def come_back(self, receives: int = 1) -> tuple[Outcome, ...]:
        """Deliver all that was put back, as if its delay were over."""
        due, self.queue.put_back[:] = list(self.queue.put_back), []
        for _, delay in due:
            self.now = max(self.now, self.now + delay)
        return self.react(*(delivered(each, receives=receives) for each, _ in due))

    def tally(self, signal: OtlpSignal = "traces") -> Tally:
        """Return what was accounted for."""
        rows = self.ledger.rows(NOW - timedelta(days=1), self.now + timedelta(days=10))
        (found,) = (each for each in tallied(rows) if each.signal == signal)
        return found

    def _stepping(self, port: Any) -> Any:
        return _Stepping(port, self)


@dataclass
class _Stepping:
    """A port whose calls are steps at which the function may be killed."""

    port: Any
    world: World

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.port, name)

        def stepped(*args: Any, **more: Any) -> Any:
            self.world.step()
            return call(*args, **more)

        return stepped


def batch(
    payload: bytes,
    signal: OtlpSignal = "traces",
    encoding: Encoding = "zstd",
    *,
    number: int | None = None,
    **more: Any,
) -> OtlpBatch:
    """Return the message of a batch, its id by its number."""
    told = next(_numbers) if number is None else number
    given: dict[str, Any] = {
        "id": ulid(NOW, told.to_bytes(10)),
        "sent_at": NOW,
        "source": Source(node="gateway-1"),
        "signal": signal,
        "encoding": encoding,
        "received_at": NOW,
        **more,
    }
    if "pointer" not in more:
        given["payload"] = base64.b64encode(packed(payload, encoding)).decode()
    return OtlpBatch.model_validate(given)


def delivered(
    message: Any, *, sender: str = "", receives: int = 1, name: str = "", relayed: bool = False
) -> Delivery:
    """Return a message as the queue hands it over."""
    body = message if isinstance(message, str) else message.model_dump_json(by_alias=True)
    return Delivery(
        message_id=name or f"m-{next(_numbers)}",
        body=body,
        sender=sender,
        queued_at=NOW,
        receives=receives,
        relayed=relayed,
    )
