from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from reflexarc.adapters.http.pool import Answer, HttpPool
from samples.standins.server import TOKEN, Limited, StandIns


@dataclass
class Client:
    """Speaks to the stand-ins as a vendor's client does."""

    standins: StandIns
    http: HttpPool

    def slack(self, method: str, token: str = TOKEN, **arguments: Any) -> dict[str, Any]:
        answer = self.http.post(
            f"{self.standins.url}/api/{method}", arguments, {"Authorization": f"Bearer {token}"}
        )
        return self.body(answer)

    def read(self, method: str, **arguments: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return self.body(self.http.get(f"{self.standins.url}/api/{method}", arguments, headers))

    def enqueue(self, **event: Any) -> Answer:
        return self.http.post(f"{self.standins.url}/v2/enqueue", event)

    def control(self, path: str, **query: str) -> dict[str, Any]:
        return self.body(self.http.get(f"{self.standins.url}{path}", query))

    @staticmethod
    def body(answer: Answer) -> dict[str, Any]:
        document = answer.json_object()
        assert document is not None, answer
        return document


@pytest.fixture
def client() -> Iterator[Client]:
    standins = StandIns.made(
        Limited(slack_rate=1, slack_burst=2, slack_calls_per_minute=60, pagerduty_per_minute=120)
    )
    standins.start()
    http = HttpPool()
    yield Client(standins, http)
    http.close()
    standins.stop()
