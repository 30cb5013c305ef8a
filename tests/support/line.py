"""The vendors' stand-ins at the end of a line that fails before a request, or after it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.http.pool import Answer
from reflexarc.kernel.errors import Ambiguous, Unavailable
from samples.standins.reply import Reply

if TYPE_CHECKING:
    from tests.support.cloud import Cloud

ANYWHERE = frozenset({"die", "twin", "other", "tick"})
BEFORE = ANYWHERE | {"closed", "limited", "broken"}
AFTER = ANYWHERE | {"lost"}


@dataclass
class Line:
    """Fills in for an HttpPool."""

    cloud: "Cloud"

    def post(
        self, url: str, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Post, if the line lets it."""
        arguments = json.loads(json.dumps(document))
        if url.endswith("/v2/enqueue"):
            return self._through(lambda: self.cloud.pagerduty.enqueue(arguments, 1_000))
        return self._slack(url, arguments, headers)

    def get(
        self, url: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Get, if the line lets it."""
        return self._slack(url, dict(query), headers)

    def _slack(
        self, url: str, arguments: dict[str, Any], headers: Mapping[str, str] | None
    ) -> Answer:
        method, bearer = url.rpartition("/")[2], (headers or {})["Authorization"]
        return self._through(lambda: self.cloud.slack.call(method, bearer, arguments))

    def _through(self, request: Callable[[], Reply]) -> Answer:
        self.cloud.forward(0.05)
        self.cloud.looked()
        match self.cloud.meet(BEFORE):
            case "closed":
                raise Unavailable("cannot reach the vendor")
            case "limited":
                return Answer(status=429, body=b"", headers={"Retry-After": "3"})
            case "broken":
                return Answer(status=503, body=b"", headers={})
        reply = request()
        if self.cloud.meet(AFTER) == "lost":
            self.cloud.forward(4)
            raise Ambiguous("no answer from the vendor")
        body = json.dumps(reply.body).encode()
        return Answer(status=reply.status, body=body, headers=reply.headers)
