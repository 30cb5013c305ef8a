"""Takes OTLP requests, keeps what is wrong with them out, and hands them to the rules."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reflexarc.engines.otlp.otlp_json import protobuf_of
from reflexarc.engines.otlp.otlp_json_values import WrongJson
from reflexarc.engines.otlp.validity import judged
from reflexarc.engines.otlp.verdicts import NotOtlp, TooManyParts, Verdict
from reflexarc.events.envelope import Source
from reflexarc.events.otlp_batch import OtlpBatch, OtlpSignal
from reflexarc.ingest.model import OTLP_PATHS, PROTOBUF, Identity, Refused, Request
from reflexarc.ingest.otlp_body import packed, unpacked
from reflexarc.ingest.otlp_reply import JSON, OtlpReply, failed, taken
from reflexarc.ingest.ports import Batches, Gate, Payloads
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Unavailable

# Seven of the 64 KiB that SQS bills by; what is larger goes by way of the bucket (DESIGN, "Sizes").
MESSAGE_MAX = 448 * 1024
# A message less its payload: ids, times, and a source of 253 characters, each escaped.
_ENVELOPE_MAX = 2 * 1024
# Parsed it takes ten times its size, and a function URL takes no more than 6 MB of text anyway.
JSON_MAX = 8 * 1024 * 1024
AGAIN = timedelta(seconds=5)
_IAM = "iam:"
# How all three requests begin where somebody writes the original names of fields.
_ORIGINAL = b'"resource_'


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpService:
    """Answers requests of OTLP clients. What was not handed on is always said not to be taken."""

    gate: Gate
    payloads: Payloads
    batches: Batches
    clock: Clock
    new_id: Callable[[datetime], str]

    def answer(self, request: Request) -> OtlpReply:
        """Return what became of a request, in the form that its client reads."""
        now, form = self.clock(), answered_in(request)
        who = ""
        try:
            signal = _signal(request)
            identity = self.gate.admit(request, now)
            who = identity.sender
            return self._take(request, signal, identity, now)
        except Refused as refusal:
            return failed(
                refusal.status,
                str(refusal),
                form,
                who=refusal.who or who,
                retry_after=refusal.retry_after,
            )
        except WrongJson as error:
            return failed(400, str(error), form, field=error.path, who=who)
        except NotOtlp as error:
            return failed(400, str(error), form, who=who)
        except TooManyParts as error:
            return failed(413, str(error), form, who=who)
        except Unavailable as error:
            reason = f"nothing was accepted: {error}"
            return failed(503, reason, form, who=who, retry_after=AGAIN)

    def _take(
        self, request: Request, signal: OtlpSignal, identity: Identity, now: datetime
    ) -> OtlpReply:
        data = _protobuf(request, signal)
        verdict = judged(data, signal)
        if verdict.rejected and not verdict.items:
            raise Refused(400, f"nothing of the request is valid: {verdict.said}")
        if verdict.items:
            self._hand_on(_payload(request, data, verdict), signal, identity, now)
        return taken(
            signal,
            answered_in(request),
            who=identity.sender,
            items=verdict.items,
            rejected=verdict.rejected,
            said=verdict.said or _warning(request, verdict),
        )

    def _hand_on(
        self, payload: bytes, signal: OtlpSignal, identity: Identity, now: datetime
    ) -> None:
        number = self.new_id(now)
        inline = len(payload) * 4 // 3 + _ENVELOPE_MAX <= MESSAGE_MAX
        key = f"inbox/{signal}/{now:%Y/%m/%d/%H}/{number}.pb.zst"
        pointer = None if inline else self.payloads.put(key, payload)
        batch = OtlpBatch(
            id=number,
            sent_at=self.clock(),
            source=Source(node=identity.source or identity.sender.removeprefix(_IAM)),
            signal=signal,
            received_at=now,
            payload=base64.b64encode(payload).decode() if inline else None,
            pointer=pointer,
        )
        self.batches.send(batch, identity.sender)


def answered_in(request: Request) -> str:
    """Return the content type of an answer: the request's own; JSON to people who try."""
    return PROTOBUF if request.media_type == PROTOBUF else JSON


def _signal(request: Request) -> OtlpSignal:
    path = request.path.rstrip("/")
    signal = OTLP_PATHS.get(path)
    if signal is None:
        raise Refused(404, f"there is only POST {', '.join(OTLP_PATHS)}")
    if request.method != "POST":
        raise Refused(405, f"{path} takes POST")
    return signal


def _protobuf(request: Request, signal: OtlpSignal) -> bytes:
    """Return the request that a body holds, in protobuf."""
    if request.media_type == PROTOBUF:
        return unpacked(request.body, request.encoding)
    if request.media_type == JSON:
        return protobuf_of(unpacked(request.body, request.encoding, JSON_MAX), signal)
    raise Refused(
        415, f"content-type {request.media_type[:80]!r} is not known: {PROTOBUF} or {JSON}"
    )


def _payload(request: Request, data: bytes, verdict: Verdict) -> bytes:
    """Return what travels on as zstd: the bytes that came, where they are that and all is valid."""
    came_as_zstd = request.media_type == PROTOBUF and request.encoding.strip().lower() == "zstd"
    return request.body if came_as_zstd and verdict.payload is data else packed(verdict.payload)


def _warning(request: Request, verdict: Verdict) -> str:
    """Return what to tell a client whose telemetry went by as unknown fields, as OTLP asks."""
    if verdict.payload or request.media_type != JSON or _ORIGINAL not in request.body:
        return ""
    return "nothing was found: in JSON a field is resourceSpans, not resource_spans"
