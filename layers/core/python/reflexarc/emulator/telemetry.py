"""Telemetry beside the pages: services send OTLP, the rules of `samples/rules` take from it.

Signed requests to the function URL, as a Collector with `sigv4auth` sends them; the deployed
functions do the rest. The stand-in's backend must hold what the rules keep, each once, and nothing
that had to be redacted.
"""

import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import urllib3
import yaml
from botocore.session import get_session

from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.adapters.dynamodb.telemetry_accounts import TelemetryAccounts
from reflexarc.adapters.http.signers import SigV4Signer
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.processes import wait_until
from reflexarc.emulator.report import Telemetry as Report
from reflexarc.emulator.report import Witness
from reflexarc.emulator.scenario import Written
from reflexarc.emulator.telemetry_due import due_of
from reflexarc.emulator.telemetry_told import balanced, told_of
from reflexarc.emulator.traffic import Export, Services, kernel_line
from reflexarc.gpu.parse import parse as parse_line
from reflexarc.runtime.config import KEPT_FOR
from reflexarc.runtime.telemetry_config import parse
from reflexarc.telemetry.accounting import Tally, tallied
from reflexarc.telemetry.config import TelemetryConfig

RULES = Path("samples", "rules", "telemetry.yaml")
BACKEND = "vendor"
KEY = "vendor-api-key"
# The sample's rules expire one day, as all rules do; the demo is to be played after it.
IN_FORCE_FOR = timedelta(days=30)
# One environment takes one request after the other; where they came faster, more would start cold.
BETWEEN_EXPORTS_S = 0.2
ENVIRONMENTS = 2  # the fewest that AWS lets a queue have
PATIENCE_S = 30.0
# Of the night's faults, the one that Fluent Bit tells of too.
WITNESSED_XID = 119
SHOWN = 200

Result = TypeVar("Result")


def beside(work: Callable[[], Result]) -> Callable[[], Result]:
    """Begin some work beside what follows; return what waits for its result."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result


def document(checkout: Path, endpoint: str, today: date) -> dict[str, Any]:
    """Return the sample's telemetry document, in force today, with the stand-in as its backend."""
    try:
        stated: dict[str, Any] = yaml.safe_load((checkout / RULES).read_text("utf-8"))
    except OSError as error:
        raise LaneUnavailable(f"the sample rules are missing: {error}") from error
    until = (today + IN_FORCE_FOR).isoformat()
    backend = {
        "name": BACKEND,
        "endpoint": endpoint,
        "headers": {"x-api-key": {"secret": KEY}},
        "compression": "zstd",
        "insecure": True,  # a stand-in speaks plain HTTP, wherever functions find it
    }
    rules = [{**rule, "expires": until} for rule in stated["rules"]]
    return {**stated, "rules": rules, "backends": [backend]}


@dataclass(slots=True, kw_only=True)
class Telemetry:
    """What services send during one demo, and what became of it."""

    lane: Lane
    config: TelemetryConfig
    services: Services
    version: int
    sent: list[Export] = field(default_factory=list)
    witnessed: str = ""
    """The node whose fault Fluent Bit told of too."""
    _seen: SimpleQueue[Export] = field(default_factory=SimpleQueue)
    _over: threading.Event = field(default_factory=threading.Event)
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=60.0)
    )
    _sender: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to send, little by little, beside whatever else happens."""
        self._sender = beside(self._send_all)

    def seeing(self, lines: Iterable[Written]) -> Iterator[Written]:
        """Yield lines for nodes to write; Fluent Bit tells of one of them, once it is written."""
        for written in lines:
            yield written
            if not self.witnessed and parse_line(written.line).code == WITNESSED_XID:
                self.witnessed = written.node
                self._seen.put(kernel_line(written.node, written.line, datetime.now(UTC)))

    def outcome(self) -> Report:
        """Wait until all was sent and accounted for; return what the rules did, what arrived."""
        self._over.set()
        self._sender()
        due = due_of(self.config, self.sent, datetime.now(UTC).date())
        wait_until(lambda: balanced(due, self._tallies()), PATIENCE_S, every_s=0.1)
        return told_of(
            due,
            self._tallies(),
            self._took(),
            self.lane.standins.otlp_spans(BACKEND),
            requests=len(self.sent),
            witness=self._witness(),
        )

    def _send_all(self) -> None:
        if self.lane.emulator is None:
            time.sleep(KEPT_FOR.total_seconds())  # its functions may know an earlier document yet
        exports = self.services.exports()
        self._send(next(exports))
        # What is sent while the first is waited for would start further environments.
        wait_until(lambda: bool(self._took()), PATIENCE_S, every_s=0.05)
        while (export := self._next(exports)) or not self._over.is_set():
            if export is not None:
                self._send(export)

    def _next(self, exports: Iterator[Export]) -> Export | None:
        """Return what is to be sent next: what a node just logged, at once, or the services'."""
        with suppress(Empty):
            return self._seen.get(timeout=BETWEEN_EXPORTS_S)
        return next(exports, None)

    def _send(self, export: Export) -> None:
        caller = self.lane.agent_endpoint
        session = get_session()
        session.set_credentials(caller.access_key, caller.secret_key)
        url = f"{self.lane.ingest.url}v1/{export.signal}"
        signer = SigV4Signer(region=caller.region, session=session)
        headers = signer.headers(url, export.payload, {"Content-Type": "application/x-protobuf"})
        try:
            answer = self._pool.request("POST", url, body=export.payload, headers=dict(headers))
        except urllib3.exceptions.HTTPError as error:
            raise LaneUnavailable(f"ingest does not answer: {error}") from error
        if answer.status != HTTPStatus.OK or answer.data:
            raise LaneUnavailable(
                f"ingest said {answer.status} to {export.signal}: {answer.data!r}"
            )
        self.sent.append(export)

    def _took(self) -> Mapping[str, int]:
        return self.lane.standins.otlp(BACKEND)

    def _tallies(self) -> list[Tally]:
        table = self.lane.stack.outputs["TelemetryTableName"]
        now = datetime.now(UTC)
        rows = TelemetryAccounts(self.lane.endpoint.client("dynamodb"), table).rows(
            now - timedelta(hours=1), now + timedelta(hours=1)
        )
        return [each for each in tallied(rows) if each.version == self.version]

    def _witness(self) -> Witness | None:
        if not self.witnessed:
            return None
        table = self.lane.stack.outputs["IncidentsTableName"]
        listed = IncidentList(self.lane.endpoint.client("dynamodb"), table)
        found: list[int] = []

        def told_twice() -> bool:
            found[:] = [
                each.count
                for each in listed.recent(SHOWN)
                if each.entity.node == self.witnessed and each.cause == f"xid/{WITNESSED_XID}"
            ]
            return sum(found) > 1

        wait_until(told_twice, PATIENCE_S / 3, every_s=0.1)
        return Witness(
            node=self.witnessed, xid=WITNESSED_XID, incidents=len(found), reports=sum(found)
        )


def begin(lane: Lane, checkout: Path) -> Telemetry:
    """Put the sample's rules in force, with the stand-in as their backend; let services send."""
    stack, key = lane.stack, secrets.token_hex(16)
    services = Services(random.Random(secrets.randbits(64)), datetime.now(UTC))  # noqa: S311 - made up
    stack.fill_telemetry({KEY: key})
    lane.standins.otlp_backend(BACKEND, key=key, forbidden=services.secrets)
    stack.at_most(ENVIRONMENTS, "telemetry_rules")
    stated = document(checkout, f"{lane.otlp_url}/{BACKEND}", datetime.now(UTC).date())
    version = stack.put_rules(stated)
    config = parse(json.dumps(stated))
    telemetry = Telemetry(lane=lane, config=config, services=services, version=version)
    telemetry.start()
    return telemetry
