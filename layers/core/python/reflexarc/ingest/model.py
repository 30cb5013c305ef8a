"""What comes in by HTTPS, who sent it, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from reflexarc.kernel.errors import Rejected

if TYPE_CHECKING:
    # Not for agents' requests: what reads OTLP is loaded when there is some.
    from reflexarc.events.otlp_batch import OtlpSignal

# https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
OTLP_PATHS: Mapping[str, "OtlpSignal"] = {
    "/v1/traces": "traces",
    "/v1/metrics": "metrics",
    "/v1/logs": "logs",
}
PROTOBUF = "application/x-protobuf"
Lane = Literal["faults", "readings"]
Status = Literal["accepted", "rejected", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, as far as it concerns us. `user_id` is what AWS verified, if it did."""

    method: str
    path: str
    body: bytes
    encoding: str = ""
    content_type: str = ""
    authorization: str = ""
    user_id: str = ""

    @property
    def media_type(self) -> str:
        """Return what the body says it is, without parameters such as a charset."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def is_otlp(self) -> bool:
        """Return whether an OTLP client waits for the answer."""
        return self.path.rstrip("/") in OTLP_PATHS or self.media_type == PROTOBUF


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of a bearer token: enough to check it, not enough to use it."""

    id: str
    digest: str
    source: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    per_minute: int

    def valid(self, now: datetime) -> bool:
        """Return whether the token is neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A verified sender, and the pattern of nodes that it may speak for (None: not held here)."""

    sender: str
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message that may pass: `body` is exactly what the sender wrote."""

    index: int
    id: str
    lane: Lane
    node: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one message."""

    id: str
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered. `who` is for the log; it names the sender or token, never a secret."""

    status: int
    reason: str = ""
    results: tuple[Result, ...] = ()
    retry_after: timedelta | None = None
    who: str = ""

    def number(self, status: Status) -> int:
        """Return how many messages came to this."""
        return sum(result.status == status for result in self.results)


class Refused(Rejected):
    """The whole request is refused with an HTTP status; nothing of it was handed on."""

    def __init__(
        self, status: int, reason: str, *, who: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.who = who
        self.retry_after = retry_after
