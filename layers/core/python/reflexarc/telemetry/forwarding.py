"""Sends what was kept to one backend: in parts that it takes, later what it does not take now.

A backend that fails is left alone for a while, so that it holds up neither the batch nor its
neighbours: what is meant for it then goes straight to the queue that brings it back.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reflexarc.events.envelope import Source
from reflexarc.events.forward import Forward
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.packed import Encoding, Pointer
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import RateLimited, ReflexError, Rejected, Unavailable
from reflexarc.kernel.ids import ENTROPY_BYTES, ulid
from reflexarc.telemetry.accounting import Sent
from reflexarc.telemetry.backends import Backend
from reflexarc.telemetry.errors import TooLarge
from reflexarc.telemetry.packing import packed, unpacked
from reflexarc.telemetry.parts import Part, cut, halves
from reflexarc.telemetry.ports import Exporter, ForwardQueue, Payloads, Refusals

# Bodies above 448 KiB go through the bucket (DESIGN: "Sizes"); some of that is the message's rest.
INLINE_MAX = 444 * 1024
# As long as SQS delays a message, and as long as anybody wants telemetry that is late.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
LONGEST_DELAY = timedelta(minutes=15)
GIVEN_UP_AFTER = timedelta(days=1)
# A backend that fails is left alone for so long at first; each failure in a row doubles it.
FIRST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=1)
# Until the batch of a part is accounted for: a second later, or when its message comes again.
UNKNOWN_DELAY = timedelta(seconds=30)
_FIRST_DELAY_S = 10
_DOUBLED_MAX = 8
ENCODINGS: dict[str, Encoding] = {"none": "identity", "gzip": "gzip", "zstd": "zstd"}
SUFFIXES: dict[Encoding, str] = {"identity": "pb", "gzip": "pb.gz", "zstd": "pb.zst"}
_SAID_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the rules keep of a batch. `original`: how it came, where that is still all of it.

    `again`: how often it may have been sent before, at most.
    """

    id: str
    signal: OtlpSignal
    payload: bytes
    items: int
    source: str
    received_at: datetime
    again: int = 0
    original: tuple[Encoding, bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A part as it goes over the wire, and what is told of it when it must wait.

    It is a part of `batch`; parts of its own would be parts of `message`, which is in hand.
    """

    id: str
    batch: str
    message: str
    backend: Backend
    signal: OtlpSignal
    body: bytes
    encoding: Encoding
    items: int
    source: str
    first_at: datetime
    attempt: int = 0
    again: int = 0
    pointer: Pointer | None = None


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of a part: a number of rejected items, or what the backend has against it."""

    ready: _Ready
    rejected: int = 0
    error: ReflexError | None = None


@dataclass(slots=True)
class _Rest:
    """How long a backend is left alone, and how often it failed in a row."""

    until: datetime
    failures: int


@dataclass(slots=True, kw_only=True)
class Forwarder:
    """Sends to backends. `failing` is told of a backend that did not take something, and why.

    `hurried` says that no time is left to wait for anybody: everything is put back then.
    """

    exporter: Exporter
    payloads: Payloads
    queue: ForwardQueue
    refusals: Refusals
    clock: Clock
    failing: Callable[[str, str], None]
    hurried: Callable[[], bool]
    _resting: dict[str, _Rest] = field(default_factory=dict)
    _last: tuple[bytes, Encoding, bytes] | None = None

    def send(self, kept: Kept, backend: Backend) -> Sent:
        """Send what was kept of a batch; raises Unavailable where it could not even be put back.

        A batch that comes again may have left parts in the queue before it died: those that do not
        wait by its account find that out when they come.
        """
        sent = self._concluded(backend, self._each(kept, backend))
        return replace(sent, resent=sent.sent * kept.again)

    def again(
        self, forward: Forward, backend: Backend | None, body: bytes, *, again: int = 0
    ) -> Sent:
        """Try once more what waited, or was refused; return what that changes.

        What the backend does not take is put back, or aside.
        """
        known = backend or Backend(name=forward.backend, endpoint="http://unknown.invalid")
        ready = _Ready(
            id=forward.id,
            batch=forward.batch,
            message=forward.id,
            backend=known,
            signal=forward.signal,
            body=body,
            encoding=forward.encoding,
            items=forward.items,
            source=forward.source.node,
            first_at=forward.first_at,
            attempt=forward.attempt,
            again=again + forward.again,
            pointer=forward.pointer,
        )
        if backend is None:
            gone = Rejected("the configuration names no such backend any more")
            sent = self._concluded(known, [_Result(ready, error=gone)])
        else:
            sent = self._concluded(known, self._deliver(ready, forward.not_before))
        sent = replace(sent, resent=sent.sent * ready.again)
        # It was counted as waiting, or as refused.
        if forward.attempt:
            return replace(sent, waiting=sent.waiting - forward.items)
        return replace(sent, refused=sent.refused - forward.items)

    def wait(self, forward: Forward) -> None:
        """Put back what nobody knows yet whether it was sent; raises Unavailable."""
        told = forward.model_copy(update={"sent_at": self.clock()})
        if self.clock() - forward.first_at >= GIVEN_UP_AFTER:
            why = "given up after a day: the batch that it is a part of was never accounted for"
            self.refusals.keep(told.model_copy(update={"attempt": 0}), why)
        else:
            self.queue.put(told, UNKNOWN_DELAY)

    def _each(self, kept: Kept, backend: Backend) -> Iterator[_Result]:
        """Yield what came of each part of what was kept."""
        made = cut(kept.signal, kept.payload, kept.items, backend.limits)
        for number, misfit in enumerate(made.misfits):
            ready = self._ready(kept, backend, misfit, f"misfit-{number}")
            yield _Result(ready, error=Rejected("an item is larger than the backend takes"))
        for number, part in enumerate(made.parts):
            yield from self._deliver(self._ready(kept, backend, part, str(number)))

    def _deliver(self, ready: _Ready, not_before: datetime | None = None) -> Iterator[_Result]:
        """Yield what came of a part, or of its halves where it is too large for the backend."""
        backend = ready.backend
        if why := self._why_not_now(backend, not_before):
            yield _Result(ready, error=why)
            return
        try:
            rejected, said = self.exporter.send(backend, ready.signal, ready.body, ready.encoding)
        except TooLarge as error:
            yield from self._halved(ready, error)
        except Unavailable as error:
            self._rest(backend, error)
            self.failing(backend.name, str(error))
            yield _Result(ready, error=error)
        except Rejected as error:
            yield _Result(ready, error=error)
        else:
            self._resting.pop(backend.name, None)
            if rejected:
                self.failing(backend.name, f"it rejected {rejected} items of a request: {said}")
            yield _Result(ready, min(rejected, ready.items))

    def _halved(self, ready: _Ready, error: TooLarge) -> Iterator[_Result]:
        whole = Part(payload=unpacked(ready.body, ready.encoding), items=ready.items)
        parts = halves(ready.signal, whole)
        if not parts:
            yield _Result(ready, error=error)
        for number, part in enumerate(parts):
            yield from self._deliver(
                replace(
                    ready,
                    id=_id(ready.first_at, f"{ready.id}\x1f{number}"),
                    batch=ready.message,
                    body=packed(part.payload, ready.encoding),
                    items=part.items,
                    pointer=None,
                )
            )

    def _why_not_now(self, backend: Backend, not_before: datetime | None) -> Unavailable | None:
        now = self.clock()
        rest = self._resting.get(backend.name)
        until = max((each for each in (not_before, rest and rest.until) if each), default=now)
        if until > now:
            return RateLimited("it is left alone for now", until - now)
        return Unavailable("no time was left in this invocation") if self.hurried() else None

    def _rest(self, backend: Backend, error: Unavailable) -> None:
        known = self._resting.get(backend.name)
        failures = known.failures + 1 if known else 0
        rest = min(FIRST_REST * 2 ** min(failures, _DOUBLED_MAX), LONGEST_REST)
        if isinstance(error, RateLimited):
            rest = error.retry_after
        self._resting[backend.name] = _Rest(self.clock() + rest, failures)

    def _concluded(self, backend: Backend, results: Iterable[_Result]) -> Sent:
        sent = Sent(backend=backend.name)
        for result in results:
            ready, error = result.ready, result.error
            if error is None:
                sent = replace(
                    sent,
                    sent=sent.sent + ready.items - result.rejected,
                    sent_bytes=sent.sent_bytes + len(ready.body),
                    requests=sent.requests + 1,
                    rejected=sent.rejected + result.rejected,
                )
            elif isinstance(error, Unavailable) and not self._is_too_late(ready):
                self._put_back(ready, error)
                sent = replace(
                    sent, waits=(*sent.waits, ready.id), waiting=sent.waiting + ready.items
                )
            else:
                self._refuse(ready, error)
                sent = replace(sent, refused=sent.refused + ready.items)
        return sent

    def _is_too_late(self, ready: _Ready) -> bool:
        return self.clock() - ready.first_at >= GIVEN_UP_AFTER

    def _put_back(self, ready: _Ready, error: Unavailable) -> None:
        now = self.clock()
        wait = _delay(ready)
        asked = error.retry_after if isinstance(error, RateLimited) else timedelta()
        small = len(ready.body) * 4 // 3 <= INLINE_MAX
        pointer = None if small else ready.pointer or self._stored(ready, "forward")
        forward = self._forward(ready, pointer).model_copy(
            update={
                "attempt": ready.attempt + 1,
                "not_before": now + asked if asked else None,
                "said": str(error)[:_SAID_MAX],
            }
        )
        self.queue.put(forward, min(max(wait, asked), LONGEST_DELAY))

    def _refuse(self, ready: _Ready, error: ReflexError) -> None:
        why = f"given up after a day: {error}" if isinstance(error, Unavailable) else str(error)
        self.failing(ready.backend.name, why)
        folder = f"dead/{ready.backend.name}"
        held = ready.pointer
        pointer = held if held and held.key.startswith(folder) else self._stored(ready, folder)
        forward = self._forward(ready, pointer).model_copy(update={"attempt": 0})
        self.refusals.keep(forward, why)

    def _stored(self, ready: _Ready, folder: str) -> Pointer:
        return self.payloads.keep(f"{folder}/{ready.id}.{SUFFIXES[ready.encoding]}", ready.body)

    def _forward(self, ready: _Ready, pointer: Pointer | None) -> Forward:
        """Return the message that brings a part back; it holds the body where nothing else does."""
        return Forward(
            id=ready.id,
            sent_at=self.clock(),
            source=Source(node=ready.source),
            signal=ready.signal,
            backend=ready.backend.name,
            encoding=ready.encoding,
            payload=None if pointer else base64.b64encode(ready.body).decode(),
            pointer=pointer,
            items=ready.items,
            size=len(ready.body),
            batch=ready.batch,
            again=ready.again,
            first_at=ready.first_at,
        )

    def _ready(self, kept: Kept, backend: Backend, part: Part, name: str) -> _Ready:
        encoding = ENCODINGS[backend.compression]
        original = kept.original
        if original is not None and original[0] == encoding and part.payload is kept.payload:
            body = original[1]
        else:
            body = self._packed(part.payload, encoding)
        return _Ready(
            id=_id(kept.received_at, f"{kept.id}\x1f{backend.name}\x1f{name}"),
            batch=kept.id,
            message=kept.id,
            backend=backend,
            signal=kept.signal,
            body=body,
            encoding=encoding,
            items=part.items,
            source=kept.source,
            first_at=self.clock(),
            again=kept.again,
        )

    def _packed(self, payload: bytes, encoding: Encoding) -> bytes:
        """Return a payload packed; several backends in a row take the same."""
        if self._last is None or self._last[0] is not payload or self._last[1] != encoding:
            self._last = payload, encoding, packed(payload, encoding)
        return self._last[2]


def anew(forward: Forward, name: str, now: datetime) -> Forward:
    """Return what an operator sends once more, as a part of its own that begins now."""
    return forward.model_copy(
        update={
            "id": _id(forward.first_at, f"{forward.id}\x1f{name}"),
            "batch": "",
            "first_at": now,
        }
    )


def _id(at: datetime, said: str) -> str:
    """Return an id that is the same whenever the same part is told."""
    return ulid(at, hashlib.sha256(said.encode()).digest()[:ENTROPY_BYTES])


def _delay(ready: _Ready) -> timedelta:
    """Return how long a part waits: longer after each attempt, and not all at the same moment."""
    longest = _FIRST_DELAY_S * 2 ** min(ready.attempt, _DOUBLED_MAX)
    spread = zlib.crc32(f"{ready.id}{ready.attempt}".encode()) % 1_000 / 1_000
    return min(timedelta(seconds=longest * (0.5 + spread / 2)), LONGEST_DELAY)
