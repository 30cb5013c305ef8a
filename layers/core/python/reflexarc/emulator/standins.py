"""Starts the vendors' stand-ins (`samples/standins`) and reads what reached them."""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import urllib3

from reflexarc.emulator.audit import Landed
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.processes import Child, Processes, wait_until

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIns:
    """Slack, PagerDuty, a webhook's receiver and OTLP backends, as far as the product can tell."""

    url: str
    slack_api_url: str
    pagerduty_url: str
    slack_secret: dict[str, str]
    pagerduty_secret: dict[str, str]
    webhook_receiver_url: str
    webhook_secret: dict[str, object]
    otlp_url: str
    child: Child
    pool: urllib3.PoolManager

    def log(self, since: int = 0, wait_s: float = 0.0) -> list[Entry]:
        """Return the requests after the given one, waiting for the first of them."""
        entries: list[Entry] = self._get(f"/_log?since={since}&wait={wait_s}")["log"]
        return entries

    def slack(self) -> dict[str, list[Entry]]:
        """Return Slack's messages by channel, as they read now."""
        channels: dict[str, list[Entry]] = self._get("/_slack")["channels"]
        return channels

    def slack_root(self, key: str) -> Entry:
        """Return the message that tells a page, as it reads now; empty while there is none."""
        for messages in self.slack().values():
            for message in messages:
                said = (message["metadata"] or {}).get("event_payload", {})
                if said.get("key") == key and said.get("part") == "root":
                    return message
        return {}

    def press(self, key: str, action: str, user: str, url: str) -> None:
        """Let a person press a button of a page's message; Slack posts the click to `url`."""
        self._post("/_press", {"key": key, "action": action, "user": user, "url": url})

    def pagerduty(self) -> list[Entry]:
        """Return PagerDuty's incidents."""
        incidents: list[Entry] = self._get("/_pagerduty")["incidents"]
        return incidents

    def pager(self, key: str) -> list[str]:
        """Return the state of each incident that PagerDuty has of a page.

        A page that is not critical has another key there; its details name the page.
        """
        return [
            str(incident["status"])
            for incident in self.pagerduty()
            if incident["payload"].get("custom_details", {}).get("page") == key[:8]
        ]

    def webhook(self) -> list[Entry]:
        """Return the events that the webhook's receiver took, each once."""
        events: list[Entry] = self._get("/_webhook")["events"]
        return events

    def otlp_backend(self, name: str, **settings: object) -> None:
        """Say what a backend of telemetry takes (samples/standins/otlp.py)."""
        self._post("/_otlp", {"backend": name, **settings})

    def otlp(self, name: str) -> dict[str, int]:
        """Return what a backend of telemetry took, in numbers."""
        taken: dict[str, int] = self._get("/_otlp")["backends"].get(name, {})
        return taken

    def otlp_spans(self, name: str) -> Counter[bytes]:
        """Return how often a backend of telemetry has each trace id and span id."""
        answer = self.pool.request("GET", f"{self.url}/_otlp_spans?backend={name}")
        pairs = (line.split() for line in answer.data.decode().splitlines())
        return Counter({bytes.fromhex(ids): int(times) for ids, times in pairs})

    def trouble(self, *orders: Entry) -> None:
        """Make the next requests meet trouble (samples/standins/faults.py)."""
        self._post("/_faults", list(orders))

    def _post(self, path: str, order: object) -> None:
        answer = self.pool.request("POST", self.url + path, json=order)
        if answer.status != HTTPStatus.OK:
            raise LaneUnavailable(f"the stand-ins refuse {path}: {answer.data.decode()}")

    def _get(self, path: str) -> dict[str, Any]:
        try:
            document: dict[str, Any] = self.pool.request("GET", self.url + path).json()
        except urllib3.exceptions.HTTPError as error:
            raise LaneUnavailable(f"the stand-ins are gone: {self.child.tail()}") from error
        return document


def start(processes: Processes, checkout: Path, options: Iterable[str] = ()) -> StandIns:
    """Start the stand-ins from a checkout on a free loopback port."""
    child = processes.start(
        "standins",
        [sys.executable, "-m", "samples.standins", "--port", "0", *options],
        cwd=checkout,
        env={"PYTHONPATH": str(checkout)},
    )
    addresses = _addresses(child)
    return StandIns(
        url=addresses["url"],
        slack_api_url=addresses["slack_api_url"],
        pagerduty_url=addresses["pagerduty_url"],
        slack_secret=addresses["slack_secret"],
        pagerduty_secret=addresses["pagerduty_secret"],
        webhook_receiver_url=addresses["webhook_receiver_url"],
        webhook_secret=addresses["webhook_secret"],
        otlp_url=addresses["otlp_url"],
        child=child,
        pool=urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2, read=35)),
    )


def landed(entries: Iterable[Entry]) -> list[Landed]:
    """Return the requests that opened a message or an incident: what people were told anew."""
    return [
        Landed(
            key=entry["key"],
            channel=entry["vendor"],
            at=datetime.fromtimestamp(entry["at"], UTC),
            hops=None,
        )
        for entry in entries
        if entry.get("opened")
    ]


def _addresses(child: Child) -> dict[str, Any]:
    def told() -> bool:
        if not child.running:
            raise LaneUnavailable(f"the stand-ins did not start: {child.tail()}")
        return b"\n" in child.log.read_bytes()

    if not wait_until(told, 15):
        raise LaneUnavailable("the stand-ins did not say where they listen")
    addresses: dict[str, Any] = json.loads(child.log.read_text().splitlines()[0])
    return addresses
