"""The configuration document: one model composed of each slice's part, pinned an invocation.

The document lives in the incidents table (docs/adr/004). A document that does not validate is never
used: the last good one stays in force, or the built-in default where there is none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from reflexarc.events.page import Silence
from reflexarc.events.problems import problems_of
from reflexarc.gpu.config import GpuPolicy
from reflexarc.incidents.checks import broken_names
from reflexarc.incidents.config import IncidentsConfig, default_policy
from reflexarc.incidents.model import Policy
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Rejected, Unavailable

KEPT_FOR = timedelta(seconds=10)


class Configuration(BaseModel):
    """reflexarc.yaml: overrides of the GPU policy, channels, and routes to them.

    Without `incidents` the built-in routing holds: critical to Slack and PagerDuty, warning to
    Slack, info recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu: GpuPolicy = GpuPolicy()
    incidents: IncidentsConfig | None = None

    def policy(self, slack_channel: str, silences: tuple[Silence, ...] = ()) -> Policy:
        """Return the stated policy, or the built-in one to this Slack channel."""
        if self.incidents is None:
            return default_policy(slack_channel, silences)
        return self.incidents.policy(silences)


def parse(document: str) -> Configuration:
    """Read a JSON document; raises Rejected with every problem and where it is.

    It asks for no more than what the rules need. What a push asks for beside that, and may ask for
    more of some day, must not throw out a document that is in force: see `document_check`.
    """
    try:
        configuration = Configuration.model_validate_json(document)
    except ValidationError as error:
        raise Rejected("; ".join(problems_of(error, "document"))) from error
    if configuration.incidents and (wrong := broken_names(configuration.incidents)):
        raise Rejected("; ".join(f"incidents.{problem}" for problem in wrong))
    return configuration


class Documents(Protocol):
    """Where the versions of the document are kept."""

    def live(self) -> tuple[int, str] | None:
        """Return the version and text of the live document, None where none was pushed."""

    def version(self, number: int) -> str | None:
        """Return the text of one version, None where there is no such version."""


class Silences(Protocol):
    """Where the silences are kept."""

    def active(self, now: datetime) -> tuple[Silence, ...]:
        """Return the silences that have not ended, those that begin later included."""


# A new environment that meets a bad live document looks back this far for a good one.
LOOK_BACK = 5


@dataclass(slots=True)
class PinnedConfiguration:
    """The configuration and the silences in force, read again at most every 10 s.

    `problem` is told, once a version, why a live document is not used.
    """

    documents: Documents
    clock: Clock
    problem: Callable[[int, str], None]
    silences: Silences | None = None
    _current: Configuration = field(default_factory=Configuration)
    _version: int = 0
    _good: int = 0
    _read_at: datetime | None = None
    _silences: tuple[Silence, ...] = ()
    _heard_at: datetime | None = None

    def policy(self, slack_channel: str) -> Policy:
        """Return what decides whom an incident is told to now, the silences included."""
        return self.current().policy(slack_channel, self._silenced())

    def current(self) -> Configuration:
        """Return the last good document; a read that fails changes nothing."""
        now = self.clock()
        if self._read_at is None or now - self._read_at >= KEPT_FOR:
            self._read_at = now
            try:
                self._refresh()
            except Unavailable as error:
                self.problem(self._version, f"not read, the last good one stays: {error}")
        return self._current

    def _silenced(self) -> tuple[Silence, ...]:
        """Return the last silences that could be read: none at first, so a doubt pages."""
        now = self.clock()
        if self.silences is not None and (
            self._heard_at is None or now - self._heard_at >= KEPT_FOR
        ):
            self._heard_at = now
            try:
                self._silences = self.silences.active(now)
            except Unavailable as error:
                self.problem(self._version, f"silences not read, the last ones stay: {error}")
        return self._silences

    def _refresh(self) -> None:
        version, text = self.documents.live() or (0, "{}")
        if version == self._version:
            return
        if not self._use(version, text) and self._good == 0:
            older = range(version - 1, max(0, version - 1 - LOOK_BACK), -1)
            texts = ((number, self.documents.version(number)) for number in older)
            any(self._use(number, text) for number, text in texts if text is not None)
        self._version = version

    def _use(self, version: int, text: str) -> bool:
        try:
            self._current = parse(text)
        except Rejected as error:
            self.problem(version, f"refused, the last good one stays: {error}")
            return False
        self._good = version
        return True
