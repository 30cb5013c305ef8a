"""Takes a request apart and hands its messages to the queues, faults first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter

from reflexarc.ingest.body import unpacked
from reflexarc.ingest.messages import cut, looked_at
from reflexarc.ingest.model import (
    OTLP_PATHS,
    Entry,
    Identity,
    Lane,
    Refused,
    Reply,
    Request,
    Result,
)
from reflexarc.ingest.ports import Gate, Relay
from reflexarc.ingest.tokens import speaks_for
from reflexarc.kernel.batching import in_batches
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Rejected, Unavailable

PATH = "/v1/gpu"
# A batch that hangs takes 8 s (runtime/clients.py); begun by now, it ends inside the function's 15.
BEGUN_WITHIN_S = 5.0
AGAIN = timedelta(seconds=5)
_NO_TIME = "no time was left in this request"
_ORDER: tuple[Lane, ...] = ("faults", "readings")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestService:
    """Answers requests. What was not accepted is always said to be not accepted."""

    gate: Gate
    relay: Relay
    clock: Clock
    monotonic: Callable[[], float]

    def answer(self, request: Request) -> Reply:
        """Return what became of a request."""
        begun = self.monotonic()
        who = ""
        try:
            _check_target(request)
            identity = self.gate.admit(request, self.clock())
            who = identity.sender
            messages = cut(unpacked(request.body, request.encoding))
            seen = [looked_at(message, index) for index, message in enumerate(messages)]
            _check_nodes(seen, identity)
        except Refused as refusal:
            return Reply(
                status=refusal.status,
                reason=str(refusal),
                retry_after=refusal.retry_after,
                who=refusal.who or who,
            )
        except Unavailable as error:
            return Reply(status=503, reason=f"cannot check who calls: {error}", retry_after=AGAIN)
        return _reply(self._relayed(seen, identity, begun), who)

    def _relayed(
        self, seen: Sequence[Entry | Result], identity: Identity, begun: float
    ) -> tuple[Result, ...]:
        results: dict[int, Result] = {}
        for lane in _ORDER:
            failed = ""
            passing = [each for each in seen if isinstance(each, Entry) and each.lane == lane]
            for batch in in_batches(passing, attrgetter("body")):
                if not failed and self.monotonic() - begun > BEGUN_WITHIN_S:
                    failed = _NO_TIME
                if not failed:
                    failed = self._sent(lane, batch, identity.sender, results)
                else:  # what follows a failure must not overtake it
                    _note(results, batch, failed)
        return tuple(
            results[index] if isinstance(each, Entry) else each for index, each in enumerate(seen)
        )

    def _sent(
        self, lane: Lane, batch: Sequence[Entry], sender: str, results: dict[int, Result]
    ) -> str:
        """Hand over one batch and note what became of it; return why the lane is to wait."""
        try:
            problems = self.relay.send(lane, batch, sender)
        except Unavailable as error:
            _note(results, batch, str(error))
            return str(error)
        for entry in batch:
            problem = problems.get(entry.index)
            if problem is None:
                results[entry.index] = Result(id=entry.id, status="accepted")
            elif isinstance(problem, Rejected):
                results[entry.index] = Result(id=entry.id, status="rejected", reason=str(problem))
            else:
                _note(results, [entry], str(problem))
        return ""


def _check_target(request: Request) -> None:
    if request.path.rstrip("/") != PATH:
        raise Refused(404, f"there is only POST {PATH}, and OTLP at {', '.join(OTLP_PATHS)}")
    if request.method != "POST":
        raise Refused(405, f"{PATH} takes POST")


def _check_nodes(seen: Sequence[Entry | Result], identity: Identity) -> None:
    """Refuse a request that speaks for a node which is not its sender's: all of it.

    Message by message an agent would give up what a corrected token could still deliver.
    """
    if identity.source is None:
        return
    for each in seen:
        if isinstance(each, Entry) and not speaks_for(identity.source, each.node):
            raise Refused(
                403,
                f"this token speaks for {identity.source}, not for node {ascii(each.node)[:80]}",
            )


def _note(results: dict[int, Result], batch: Sequence[Entry], reason: str) -> None:
    for entry in batch:
        results[entry.index] = Result(id=entry.id, status="retry", reason=reason)


def _reply(results: tuple[Result, ...], who: str) -> Reply:
    statuses = {result.status for result in results}
    if "retry" in statuses and "accepted" not in statuses:
        reason = next(result.reason for result in results if result.status == "retry")
        return Reply(
            status=503,
            reason=f"nothing was accepted: {reason}",
            results=results,
            retry_after=AGAIN,
            who=who,
        )
    return Reply(status=200, results=results, who=who)
