"""Stands between functions and the emulator's DynamoDB: adds its refusals, and counts its units.

Emulators never answer TransactionConflict and never throttle; a real table does both in a storm. A
refused request does not reach the table, as on AWS. Loopback only.
"""

import json
import random
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

from reflexarc.emulator.capacity import WRITES, Counts, Index, Item, Meter, Place
from reflexarc.emulator.endpoint import Endpoint

ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
_PREFIX = "com.amazonaws.dynamodb.v20120810#"
_JSON = "application/x-amz-json-1.0"
_POOL = 64
# Hop by hop, or made anew by whoever sends.
_NOT_PASSED = frozenset({"host", "content-length", "connection", "transfer-encoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """How often a table refuses: shares of the requests that it may refuse so."""

    conflicts: float = 0.0
    throttles: float = 0.0
    seed: int = 1


class FlakyTable:
    """A DynamoDB on loopback that refuses at random, and is the emulator's otherwise."""

    def __init__(self, endpoint: Endpoint, troubles: Troubles, tables: Sequence[str]) -> None:
        self.troubles = troubles
        self._upstream = urllib3.connectionpool.connection_from_url(
            endpoint.url, maxsize=_POOL, retries=False, timeout=30.0
        )
        self._client = endpoint.client("dynamodb")
        self._random = random.Random(troubles.seed)  # noqa: S311 - repeatable on purpose
        self._dice = threading.Lock()
        self._transacted: set[Place] = set()
        self.meter = Meter(self._look, *_layout(self._client, tables))
        proxy = self

        class Handler(_Handler):
            target = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the address that functions are to use."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def counts(self) -> Counts:
        """Return what was counted so far."""
        return self.meter.counts

    def restart_counts(self) -> Counts:
        """Return what was counted so far, and count from zero on."""
        counted, self.meter.counts = self.meter.counts, Counts()
        return counted

    def close(self) -> None:
        """Stop listening; connections end with their threads."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._upstream.close()

    def refusal(self, operation: str, request: Item) -> dict[str, Any] | None:
        """Return how the table refuses this request, None if it does not.

        A single write conflicts with transactions alone: with an item that some of them touch.
        """
        with self._dice:
            throttles = self._random.random() < self.troubles.throttles
            conflicts = self._random.random() < self.troubles.conflicts
            pick = self._random.random()
        if throttles:
            return _throttle(pick)
        if operation == "TransactWriteItems":
            actions = request["TransactItems"]
            places = [self.meter.place(next(iter(action.values()))) for action in actions]
            self._transacted.update(places)
            return _cancelled(len(actions), pick) if conflicts else None
        if conflicts and operation in WRITES and self.meter.place(request) in self._transacted:
            said = "Transaction is ongoing for the item"
            return _error("TransactionConflictException", message=said)
        return None

    def forward(self, headers: Mapping[str, str], body: bytes) -> urllib3.BaseHTTPResponse:
        """Return the table's own answer."""
        passed = {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED}
        return self._upstream.request("POST", "/", body=body, headers=passed)

    def _look(self, table: str, key: Item) -> Item:
        answer = self._client.get_item(TableName=table, Key=key, ConsistentRead=True)
        found: Item = answer.get("Item", {})
        return found


class _Server(ThreadingHTTPServer):
    """A server whose clients may be killed at any moment."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up; of all else what the parent says."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """HTTP in front of a FlakyTable; connections are kept."""

    target: FlakyTable
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError("the client died in the middle of a request")
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        request: Item = json.loads(body)
        refusal = self.target.refusal(operation, request)
        if refusal is not None:
            status, headers, said = 400, {"Content-Type": _JSON}, json.dumps(refusal).encode()
        else:
            answer = self.target.forward(dict(self.headers), body)
            status, headers, said = answer.status, dict(answer.headers), answer.data
        try:
            self._answer(status, headers, said)
        finally:  # the table has it, whether or not its client lives to hear of it
            self.target.meter.took(operation, request, json.loads(said or b"{}"), status)

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_PASSED | {"date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Say nothing: the counts tell."""


@contextmanager
def flaky(
    endpoint: Endpoint, functions: Sequence[str], tables: Sequence[str], troubles: Troubles
) -> Iterator[FlakyTable]:
    """Let these functions, by their deployed names, reach their tables through a FlakyTable."""
    proxy = FlakyTable(endpoint, troubles, tables)
    try:
        for name in functions:
            _point(endpoint, name, proxy.url)
        yield proxy
    finally:
        for name in functions:
            _point(endpoint, name, None)
        proxy.close()


def _point(endpoint: Endpoint, function: str, url: str | None) -> None:
    client = endpoint.client("lambda")
    settings = client.get_function_configuration(FunctionName=function)
    variables = dict(settings.get("Environment", {}).get("Variables", {}))
    variables.pop(ENDPOINT, None)
    given = {ENDPOINT: url} if url else {}
    client.update_function_configuration(
        FunctionName=function, Environment={"Variables": {**variables, **given}}
    )


def _layout(
    client: Any, tables: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[Index, ...]]]:
    """Return the key attributes of tables, and those of their indexes."""
    keys, indexes = {}, {}
    for table in tables:
        made = client.describe_table(TableName=table)["Table"]
        keys[table] = tuple(part["AttributeName"] for part in made["KeySchema"])
        indexes[table] = tuple(
            Index(tuple(part["AttributeName"] for part in index["KeySchema"]))
            for index in made.get("GlobalSecondaryIndexes", ())
        )
    return keys, indexes


def _throttle(pick: float) -> dict[str, Any]:
    if pick < 0.5:  # noqa: PLR2004 - one as often as the other
        said = "The level of configured provisioned throughput for the table was exceeded."
        return _error("ProvisionedThroughputExceededException", message=said)
    said = "Throughput exceeds the current capacity of your table or index."
    return _error("ThrottlingException", message=said)


def _cancelled(items: int, pick: float) -> dict[str, Any]:
    """Return a cancelled transaction: one item conflicts, there is a reason for each."""
    chosen = int(pick * items)
    codes = ["TransactionConflict" if number == chosen else "None" for number in range(items)]
    reasons: list[dict[str, str]] = [{"Code": code} for code in codes]
    reasons[chosen]["Message"] = "Transaction is ongoing for the item"
    said = (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        f"[{', '.join(codes)}]"
    )
    return _error("TransactionCanceledException", Message=said, CancellationReasons=reasons)


def _error(kind: str, **fields: Any) -> dict[str, Any]:
    return {"__type": _PREFIX + kind, **fields}
