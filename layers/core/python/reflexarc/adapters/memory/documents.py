"""Fills Documents (runtime.config, runtime.telemetry_config) in memory."""

from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.kernel.errors import Rejected


@dataclass(frozen=True, slots=True)
class MemoryDocuments:
    """Every version, the last of them live."""

    texts: list[str] = field(default_factory=list)

    def live(self) -> tuple[int, str] | None:
        """Return the version and text of the live document, None where none was pushed."""
        return (len(self.texts), self.texts[-1]) if self.texts else None

    def live_version(self) -> int:
        """Return the version of the live document, 0 where none was pushed."""
        return len(self.texts)

    def version(self, number: int) -> str | None:
        """Return the text of one version, None where there is no such version."""
        return self.texts[number - 1] if 0 < number <= len(self.texts) else None

    def push(self, text: str, replaces: int, now: datetime) -> int:
        """Make a text the live document; raises Rejected when another was pushed meanwhile."""
        del now
        if replaces != len(self.texts):
            raise Rejected(
                f"the live document is not version {replaces} any more:"
                " read it, merge your change, and push again"
            )
        self.texts.append(text)
        return len(self.texts)
