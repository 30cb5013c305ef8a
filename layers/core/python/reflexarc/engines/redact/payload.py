"""Redacts a whole OTLP request: always, on every item, before anything leaves. Fails closed.

What this promises: whatever the policy finds in any text of the request is replaced, and counted;
a text that cannot be examined is replaced whole, and counted as unreadable; all other bytes are as
they came. Not searched: what schema.py says, numbers, and fields that OTLP did not have when this
was written.
"""

from collections import Counter
from collections.abc import Iterable

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.engines.otlp.wire import Malformed
from reflexarc.engines.redact.gates import Gates
from reflexarc.engines.redact.model import Detector, Interval, Redacted
from reflexarc.engines.redact.names import CONTENT_EVENTS, CONTENT_NAMES, EVENT_CONTENT_NAMES, Names
from reflexarc.engines.redact.policy import RedactionPolicy
from reflexarc.engines.redact.schema import REQUESTS
from reflexarc.engines.redact.text import TextRedactor
from reflexarc.engines.redact.walk import Rules, Walk
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected

_MESSAGES: dict[OtlpSignal, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


class Redactor:
    """Takes out of telemetry what a policy says must not leave."""

    def __init__(
        self, policy: RedactionPolicy, *, salt: bytes = b"", detectors: Iterable[Detector] = ()
    ) -> None:
        """`salt` is of the hashes; `detectors` are further ones, which see every text."""
        self._detectors = tuple(detectors)
        self._texts = TextRedactor(policy, salt, self._detectors)
        removed = policy.content == "remove"
        self._rules = Rules(
            texts=self._texts,
            secret=Names((*policy.attributes, *policy.also)),
            content=Names(CONTENT_NAMES if removed else ()),
            allowed=Names(policy.allow),
            events=Names(CONTENT_EVENTS if removed else ()),
            event_content=Names(EVENT_CONTENT_NAMES if removed else ()),
        )
        self._gates = Gates(policy)

    def apply(self, signal: OtlpSignal, payload: bytes, *, parsed: bool = False) -> Redacted:
        """Return the request as it may leave; raises Rejected where it is no request.

        `parsed` says that the caller has read these very bytes with protobuf's own reader, so that
        every text in it is UTF-8 and nothing is cut off or too deep. Without it that is done here;
        it costs more than the search.
        """
        readable = parsed or _is_readable(signal, payload)
        candidates = self._candidates(payload) if readable else [(0, len(payload))]
        if not candidates:
            return Redacted(payload, {})
        walk = Walk(self._rules, payload, candidates)
        try:
            redacted = walk.through(REQUESTS[signal])
        except Malformed as error:
            raise Rejected(f"this is no OTLP request of {signal}: {error}") from error
        if not readable and not _is_readable(signal, redacted):
            raise Rejected(f"this is no OTLP request of {signal} in protobuf")
        return Redacted(redacted, dict(walk.counts))

    def text(self, text: str) -> tuple[str, dict[str, int]]:
        """Return a text as it may leave, and what was found in it."""
        counts: Counter[str] = Counter()
        # A lone surrogate has no UTF-8: such a text cannot be examined, and goes whole.
        redacted = self._texts.redacted(text.encode("utf-8", "surrogatepass"), counts)
        return (text if redacted is None else redacted.decode()), dict(counts)

    def _candidates(self, payload: bytes) -> list[Interval]:
        if self._detectors:
            return [(0, len(payload))]
        return self._gates.candidates(payload)


def _is_readable(signal: OtlpSignal, payload: bytes) -> bool:
    try:
        _MESSAGES[signal].FromString(payload)
    except DecodeError:
        return False
    return True
