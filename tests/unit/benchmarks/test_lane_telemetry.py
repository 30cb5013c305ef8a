"""What the lane's benchmark of telemetry takes for wrong."""

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3

from reflexarc.emulator.endpoint import Endpoint
from reflexarc.telemetry.accounting import Tally
from tests.benchmarks.lane_telemetry import SPANS, Outcome, Sent, _of_crash, _off, _rows
from tests.benchmarks.sqs_requests import REPEATED, SqsRequests

A, B, C = (bytes([number]) * 24 for number in (1, 2, 3))
SENT = Sent([], {A: 0, B: 0})
EXACT = {
    "received": SPANS,
    "kept": 2,
    "dropped": SPANS - 3,
    "sampled": 1,
    "to.sent.b": 2,
    "to.resent.b": 9,
}


def tally(**off: int) -> Tally:
    numbers = Counter(EXACT)
    numbers.update({name.replace("__", "."): number for name, number in off.items()})
    return Tally(signal="traces", version=1, numbers=numbers)


def outcome(*spans: bytes, killed: int = 1) -> Outcome:
    return Outcome(
        backend=Counter(spans), tally=tally(), wall_s=1, cpu_s={}, repeated=4, killed=killed
    )


def figures(*spans: bytes, killed: int = 1) -> dict[str, float]:
    run = outcome(*spans, killed=killed)
    return {row.metric: row.ours for row in (*_rows("lane", SENT, run), *_of_crash(SENT, run))}


def test_exact_accounts_are_off_by_nothing() -> None:
    assert _off(SENT, tally()) == 0


@pytest.mark.parametrize(
    ("off", "by"),
    [
        ({"received": 1}, 1),
        ({"kept": -1}, 1),
        ({"sampled": 2}, 2),
        ({"errors": 1}, 1),
        ({"to__sent__b": -2}, 2),
        ({"to__waiting__b": 3}, 3),
        ({"received": 1, "dropped": 1}, 2),
    ],
)
def test_whatever_is_miscounted_is_added_up(off: dict[str, int], by: int) -> None:
    assert _off(SENT, tally(**off)) == by


def test_spans_are_missing_beyond_what_is_due_or_there_twice() -> None:
    found = figures(A, A, A, C)

    names = ("missing", "extra", "twice")
    assert [found[f"lane_spans_{name}"] for name in names] == [1, 1, 2]


@pytest.mark.parametrize(("spans", "batches"), [((A, B), 0), ((A, A, B, B), 1), ((A, C, C), 0)])
def test_batches_that_came_twice_are_told_by_their_spans(
    spans: tuple[bytes, ...], batches: int
) -> None:
    assert figures(*spans)["lane_crash_batches_twice"] == batches
    assert figures(*spans, killed=2)["lane_crash_batches_twice_a_crash"] == batches / 2


@pytest.fixture
def upstream() -> Iterator[tuple[str, list[bytes]]]:
    """Return an SQS that takes everything, and what it was sent."""
    seen: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            seen.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_every_second_message_is_sent_twice_and_nothing_else(
    upstream: tuple[str, list[bytes]],
) -> None:
    url, seen = upstream
    requests = SqsRequests(Endpoint(url=url), twice=2)

    with urllib3.PoolManager() as pool:
        for number, operation in enumerate(("SendMessage", "SendMessage", "DeleteMessage") * 2):
            headers = {"X-Amz-Target": f"AmazonSQS.{operation}"}
            answer = pool.request("POST", requests.url, body=str(number), headers=headers)
            assert (answer.status, answer.data) == (200, b"{}")
    requests.close()

    assert seen == [b"0", b"1", b"1", b"2", b"3", b"4", b"4", b"5"]
    assert requests.counts[REPEATED] == 2
