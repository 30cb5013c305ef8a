"""Stands between functions and the emulator's SQS, and counts what they ask of it.

It can send messages twice: SQS promises each at least once, and the emulator brings it once.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

from reflexarc.emulator.endpoint import Endpoint

ENDPOINT = "AWS_ENDPOINT_URL_SQS"
REPEATED = "repeated"
_SEND = "SendMessage"
_NOT_PASSED = frozenset({"host", "content-length", "connection", "transfer-encoding"})


class SqsRequests:
    """An SQS on loopback: the emulator's own, with its requests counted by operation.

    Every `twice`-th message is sent twice, where that is not 0.
    """

    def __init__(self, endpoint: Endpoint, twice: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        self.twice = twice
        pool = urllib3.PoolManager(maxsize=20, retries=False, timeout=30.0)
        counts, upstream, requests = self.counts, endpoint.url, self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65_536

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                counts[operation] += 1
                given = {k: v for k, v in self.headers.items() if k.lower() not in _NOT_PASSED}
                answer = pool.request("POST", upstream + self.path, body=body, headers=given)
                if requests.twice and operation == _SEND and not counts[_SEND] % requests.twice:
                    pool.request("POST", upstream + self.path, body=body, headers=given)
                    counts[REPEATED] += 1
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in _NOT_PASSED | {"date", "server"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.data)))
                self.end_headers()
                self.wfile.write(answer.data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's
                """Say nothing: the counts tell."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Return the address that functions are to use."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def counted_sqs(endpoint: Endpoint, functions: Sequence[str]) -> Iterator[SqsRequests]:
    """Let these functions, by their deployed names, reach SQS through a counter, for good."""
    proxy = SqsRequests(endpoint)
    client = endpoint.client("lambda")
    for name in functions:
        settings = client.get_function_configuration(FunctionName=name)
        variables = {**settings["Environment"]["Variables"], ENDPOINT: proxy.url}
        client.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )
    yield proxy
    proxy.close()
