"""200,000 spans from the real Rotel, through ingest, queue and rules to a backend, in the emulator.

What must arrive is what the rules of `otlp_peers.py` keep, written by hand over the plain schema:
our own engine is not asked. First as it is; then with every tenth message of the queue sent twice,
and a `kill -9` of the function in mid-run, at the worst moment: the backend has a batch, and nobody
accounted for it. On AWS twenty environments work at once; here two do, for want of cores.
"""

import hashlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import rotel  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.adapters.dynamodb.config_document import TELEMETRY, ConfigDocument
from reflexarc.adapters.dynamodb.telemetry_accounts import TelemetryAccounts
from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes, free_port, wait_for_http, wait_until
from reflexarc.emulator.telemetry_due import ids_of
from reflexarc.telemetry.accounting import Tally, tallied
from tests.benchmarks import otlp_peers as peers
from tests.benchmarks import otlp_rules as rules
from tests.benchmarks.otlp_payloads import payloads
from tests.benchmarks.rows import Row
from tests.benchmarks.sqs_requests import REPEATED, SqsRequests, counted_sqs
from tests.benchmarks.storm_killer import workers
from tests.emulator.story import kill_workers
from tests.emulator.test_ingest import let_in_by, token_for
from tests.emulator.test_telemetry import Telemetry

ROOT = Path(__file__).parents[2]
ROTEL = Path(rotel.__file__).parent / "rotel-agent"
A_REQUEST = 1_000
# The first requests start the functions, which is not what the CPU figures are about.
FIRST, REST = 10, 190
SPANS = (FIRST + REST) * A_REQUEST
RULES = "telemetry_rules"
FUNCTIONS = ("ingest", RULES)
ENVIRONMENTS = 2
# Rotel would export more at once, and each would start an environment of ingest.
AT_ONCE = 2
EVERY_TENTH = 10
# Longer than ten messages take here; on AWS it is six times the function's timeout.
VISIBILITY_S = 20
HANG_S = 5.0
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Sent:
    """Requests with ids of their own, and of each span that the rules keep, its request."""

    requests: Sequence[bytes]
    kept: Mapping[bytes, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run came to; CPU seconds are of the functions, after their start."""

    backend: Counter[bytes]
    tally: Tally
    wall_s: float
    cpu_s: Mapping[str, float]
    repeated: int
    killed: int


def run() -> Iterator[Row]:
    """Yield what arrived and what was counted: as it is, then with duplicates and a crash."""
    sent = made()
    with ExitStack() as stack:
        processes = stack.enter_context(Processes())
        lane = build(processes, Plan(checkout=ROOT))
        lane.stack.at_most(ENVIRONMENTS, RULES)
        stack.enter_context(let_in_by(lane, "TOKEN"))
        sqs = stack.enter_context(counted_sqs(lane.endpoint, [lane.stack.function("ingest")]))
        pushing = Pushing(lane, _rotel(processes, lane), sqs)
        outcome = pushing.all_of(sent, "whole")
        yield from _rows("lane", sent, outcome)
        for name, used in outcome.cpu_s.items():
            a_million = used / (REST * A_REQUEST) * 1e6
            yield Row("telemetry", f"lane_{name}", "CPU s/M spans", round(a_million, 1))
        sqs.twice = EVERY_TENTH
        with Telemetry(lane).comes_back_after(VISIBILITY_S):
            outcome = pushing.all_of(sent, "crashed", crash=True)
        yield from _rows("lane_crash", sent, outcome)
        yield from _of_crash(sent, outcome)


def made() -> Sent:
    """Return the requests, and what the rules keep of them by the plain schema."""
    template = ExportTraceServiceRequest.FromString(payloads()["traces1000"])
    requests = [_renamed(template, number) for number in range(FIRST + REST)]
    kept = {
        ids: number
        for number, request in enumerate(requests)
        for ids in ids_of(peers.spans_kept(request, peers.TEN_RULES)[0])
    }
    return Sent(requests, kept)


def _renamed(template: ExportTraceServiceRequest, number: int) -> bytes:
    """Return the request with ids of its own; what belonged together still does."""
    request = ExportTraceServiceRequest()
    request.CopyFrom(template)
    fresh = partial(hashlib.blake2b, key=number.to_bytes(4, "big"))
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                span.trace_id = fresh(span.trace_id, digest_size=16).digest()
                span.span_id = fresh(span.span_id, digest_size=8).digest()
                if span.parent_span_id:
                    span.parent_span_id = fresh(span.parent_span_id, digest_size=8).digest()
    return request.SerializeToString()


@dataclass(frozen=True, slots=True)
class Pushing:
    """Rotel in front of a lane; `sqs` knows what ingest has handed on."""

    lane: Lane
    rotel: str
    sqs: SqsRequests

    def all_of(self, sent: Sent, backend: str, *, crash: bool = False) -> Outcome:
        """Push everything, and wait until it was accounted for."""
        telemetry = Telemetry(self.lane)
        telemetry.push(backend, rules=_rules())
        version = self._version()
        repeated, began = self.sqs.counts[REPEATED], time.monotonic()
        killed: list[int] = []
        if crash:
            crashing = threading.Thread(target=_crash, args=(telemetry, backend, killed))
            crashing.start()
        self._feed(sent.requests[:FIRST])
        self._await(version, FIRST * A_REQUEST)
        before = _cpu(self.lane)
        self._feed(sent.requests[FIRST:])
        self._await(version, SPANS)
        wall = time.monotonic() - began
        if crash:
            crashing.join()
            if not sum(killed):
                raise SystemExit("the function was not killed: there is nothing to report")
        if not telemetry.quiet(TIMEOUT_S):
            raise SystemExit("the lane is still at work, though all was accounted for")
        return Outcome(
            backend=telemetry.spans(backend),
            tally=self._tally(version),
            wall_s=wall,
            cpu_s={name: used - before[name] for name, used in _cpu(self.lane).items()},
            repeated=self.sqs.counts[REPEATED] - repeated,
            killed=sum(killed),
        )

    def _feed(self, requests: Sequence[bytes]) -> None:
        """Post requests to Rotel, each once ingest has handed on most of those before it."""
        connection = http.client.HTTPConnection(self.rotel, timeout=TIMEOUT_S)
        counts, done = self.sqs.counts, self.sqs.counts["SendMessage"]
        for number, request in enumerate(requests):
            enough = done + number - AT_ONCE
            if not wait_until(partial(_reaches, counts, enough), TIMEOUT_S, every_s=0.005):
                raise SystemExit(f"ingest handed on {counts['SendMessage'] - done} requests only")
            headers = {"content-type": "application/x-protobuf"}
            connection.request("POST", "/v1/traces", request, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.client.OK:
                raise SystemExit(f"Rotel answered {answer.status}: {said[:200]!r}")

    def _await(self, version: int, spans: int) -> None:
        """Wait until so many spans were accounted for."""

        def accounted() -> bool:
            return self._tally(version).numbers["received"] >= spans

        if not wait_until(accounted, TIMEOUT_S, every_s=0.5):
            raise SystemExit(f"only {self._tally(version).numbers['received']:,} are accounted for")

    def _tally(self, version: int) -> Tally:
        table, now = self.lane.stack.outputs["TelemetryTableName"], datetime.now(UTC)
        accounts = TelemetryAccounts(self.lane.endpoint.client("dynamodb"), table)
        found = tallied(accounts.rows(now - timedelta(hours=1), now + timedelta(hours=1)))
        return next(
            (each for each in found if each.version == version),
            Tally(signal="traces", version=version),
        )

    def _version(self) -> int:
        table = self.lane.stack.outputs["IncidentsTableName"]
        documents = ConfigDocument(self.lane.endpoint.client("dynamodb"), table, TELEMETRY)
        return documents.live_version()


def _reaches(counts: Counter[str], enough: int) -> bool:
    return counts["SendMessage"] > enough


def _rules() -> list[dict[str, Any]]:
    """Return the ten as a document has them, in force whatever the day."""
    return [
        rule.model_copy(update={"expires": date(2999, 1, 1)}).model_dump(
            mode="json", exclude_none=True
        )
        for rule in rules.TEN
    ]


def _rotel(processes: Processes, lane: Lane) -> str:
    """Start Rotel in front of the function URL; return where it listens."""
    _, token = token_for(lane, "gateway", per_minute=10_000)
    at, grpc = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    options = {
        "otlp-http-endpoint": at,
        "otlp-grpc-endpoint": grpc,
        "exporter": "otlp",
        "otlp-exporter-protocol": "http",
        "otlp-exporter-endpoint": lane.ingest.url.rstrip("/"),
        "otlp-exporter-custom-headers": f"Authorization=Bearer {token}",
        "otlp-exporter-compression": "gzip",
        # What is given up and sent again would be further spans to everybody behind it.
        "otlp-exporter-request-timeout": "60s",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    # Where Rotel 0.0.1a15 divides a batch, the spans before the cut lose their resource, and the
    # rules that ask for it cannot hold: what is posted is exported as it is.
    words.append("--disable-batching")
    child = processes.start("rotel", [ROTEL, "start", *words], cwd=processes.folder("rotel"))
    wait_for_http(f"http://{at}", child)
    return at


def _crash(telemetry: Telemetry, backend: str, killed: list[int]) -> None:
    """Kill the function while the backend, which took a batch, has not answered yet."""
    half = (FIRST + REST) // 2
    order = {"vendor": "otlp", "method": backend, "do": "hang"}
    telemetry.lane.standins.trouble(
        *({**order, "seconds": 0.0},) * half, {**order, "seconds": HANG_S}
    )
    if wait_until(lambda: telemetry.told(backend).get("requests", 0) > half, 240, every_s=0.05):
        time.sleep(0.1)
        killed.append(kill_workers(telemetry.lane, RULES))


def _cpu(lane: Lane) -> dict[str, float]:
    """Return the CPU seconds of each function's environments."""
    return {
        name: sum(sum(worker.cpu_times()[:2]) for worker in workers(lane, name))
        for name in FUNCTIONS
    }


def _rows(name: str, sent: Sent, outcome: Outcome) -> Iterator[Row]:
    there = outcome.backend
    yield Row("telemetry", f"{name}_spans_sent", "spans", SPANS)
    yield Row("telemetry", f"{name}_spans_due", "spans", len(sent.kept))
    yield Row("telemetry", f"{name}_spans_missing", "spans", len(sent.kept.keys() - there.keys()))
    yield Row("telemetry", f"{name}_spans_extra", "spans", len(there.keys() - sent.kept.keys()))
    yield Row("telemetry", f"{name}_spans_twice", "spans", there.total() - len(there))
    yield Row("telemetry", f"{name}_counters_off", "spans", _off(sent, outcome.tally))
    yield Row("telemetry", f"{name}_wall", "s", round(outcome.wall_s, 1))


def _off(sent: Sent, tally: Tally) -> int:
    """Return by how much the accounts are wrong, all taken together: 0 where they are exact."""
    numbers, (backend,) = tally.numbers, tally.backends().values()
    wanted = {
        "received": SPANS,
        "kept": len(sent.kept),
        "emitted": 0,
        "errors": 0,
    }
    removed = numbers["dropped"] + numbers["sampled"] + numbers["aggregated"]
    return (
        sum(abs(numbers[name] - number) for name, number in wanted.items())
        + abs(removed - (SPANS - len(sent.kept)))
        + abs(backend["sent"] - len(sent.kept))
        + sum(abs(backend[name]) for name in ("waiting", "refused", "rejected"))
    )


def _of_crash(sent: Sent, outcome: Outcome) -> Iterator[Row]:
    """Yield what came twice, and why: nobody can know what died between a send and its account."""
    doubled = {ids for ids, times in outcome.backend.items() if times > 1}
    batches = len({sent.kept[ids] for ids in doubled if ids in sent.kept})
    (backend,) = outcome.tally.backends().values()
    yield Row("telemetry", "lane_crash_messages_twice", "messages", outcome.repeated)
    yield Row("telemetry", "lane_crash_killed", "environments", outcome.killed)
    yield Row("telemetry", "lane_crash_batches_twice", "batches", batches)
    a_crash = round(batches / outcome.killed, 2)
    yield Row("telemetry", "lane_crash_batches_twice_a_crash", "batches", a_crash)
    yield Row("telemetry", "lane_crash_may_be_twice", "spans", backend["resent"])
