"""The telemetry document in force, its rules compiled, pinned an invocation.

Versions are immutable, so only the number of the live one is read every ten seconds. A document
that does not validate, or whose rules do not compile, is never used: the last good one stays in
force, or the built-in default where there is none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol

from pydantic import ValidationError

from reflexarc.engines.redact.payload import Redactor
from reflexarc.events.problems import first_of, problems_of
from reflexarc.events.reads import Read
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.runtime.config import KEPT_FOR, LOOK_BACK
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.config import TelemetryConfig
from reflexarc.telemetry.redaction import Redaction
from reflexarc.telemetry.ruleset import RuleSet

_PROBLEMS_SHOWN = 5


def parse(document: str) -> TelemetryConfig:
    """Read a JSON document; raises Rejected with its first problems and where they are."""
    try:
        return TelemetryConfig.model_validate_json(document)
    except ValidationError as error:
        shown = "".join(first_of(problems_of(error, "document"), _PROBLEMS_SHOWN))
        raise Rejected(shown) from error


class TelemetryDocuments(Protocol):
    """Where the versions of the telemetry document are kept."""

    def live_version(self) -> int:
        """Return the version of the live document, 0 where none was pushed."""

    def version(self, number: int) -> str | None:
        """Return the text of one version, None where there is no such version."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One version of the document, and its rules compiled for one day."""

    version: int
    config: TelemetryConfig
    rules: RuleSet
    redaction: Redaction
    day: date


@dataclass(slots=True)
class PinnedTelemetry:
    """The telemetry document in force, its version asked for again at most every 10 s.

    `problem` is told, once a version, why a live document is not used. `salt` finds the salt of
    hashes by the name that the document gives it; while it is Unavailable nothing is redacted, so
    nothing goes on.
    """

    documents: TelemetryDocuments
    clock: Clock
    problem: Callable[[int, str], None]
    reads: tuple[Read, ...] = READS
    salt: Callable[[str], bytes] = str.encode
    _current: Telemetry | None = None
    # The last version that was looked at, good or not.
    _seen: int = field(default=0)
    _asked_at: datetime | None = None

    def current(self) -> Telemetry:
        """Return the last good document; a read that fails changes nothing."""
        now = self.clock()
        if self._asked_at is None or now - self._asked_at >= KEPT_FOR:
            self._asked_at = now
            try:
                self._refresh(now)
            except Unavailable as error:
                self.problem(self._seen, f"not read, the last good one stays: {error}")
        today = now.astimezone(UTC).date()
        current = self._current or self._compiled(0, TelemetryConfig(), today)
        if current.day != today:
            # Rules expire by days. What compiled yesterday compiles today.
            current = self._compiled(current.version, current.config, today)
        self._current = current
        return current

    def _refresh(self, now: datetime) -> None:
        version = self.documents.live_version()
        if version == self._seen:
            return
        if not self._use(version, now) and (self._current is None or not self._current.version):
            # A new environment that meets a bad document looks back for a good one.
            older = range(version - 1, max(0, version - 1 - LOOK_BACK), -1)
            any(self._use(number, now) for number in older)
        self._seen = version

    def _use(self, version: int, now: datetime) -> bool:
        # A version that is not there reads as an empty text, which is no document.
        text = self.documents.version(version) or ""
        try:
            self._current = self._compiled(version, parse(text), now.astimezone(UTC).date())
        except Rejected as error:
            self.problem(version, f"refused, the last good one stays: {error}")
            return False
        return True

    def _compiled(self, version: int, config: TelemetryConfig, day: date) -> Telemetry:
        salt = self.salt(config.redaction.salt_secret) if config.hashes else b""
        rules = RuleSet(config.rules, self.reads, version=version, today=day, salt=salt)
        redaction = Redaction(Redactor(config.redaction, salt=salt), rules)
        return Telemetry(version, config, rules, redaction, day)
