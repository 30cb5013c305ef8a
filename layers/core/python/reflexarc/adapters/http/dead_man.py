"""Tells somebody outside that all is well; whoever hears nothing raises the alarm.

Any service that watches for a missing GET will do: healthchecks.io, Dead Man's Snitch, Cronitor.
"""

from dataclasses import dataclass

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.kernel.errors import Unavailable

# The pool waits two seconds for a connection; the rest of five is for the answer.
READ_S = 3.0
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class DeadMan:
    """Calls one URL by https."""

    http: HttpPool

    def ping(self, url: str) -> None:
        """Call it; raises Unavailable, without the URL's secret path, when it did not take it."""
        answer = self.http.get(url, {})
        if answer.status >= _REFUSED:
            raise Unavailable(f"the dead man's switch answered {answer.status}")
