"""A tiny function URL that answers as a test says, and keeps what it was sent."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
Script = Callable[[list[Any]], Answer | None]


def ok(messages: list[Any]) -> Answer:
    """Accept everything."""
    return told(*[(message["id"], "accepted") for message in messages])


def told(*results: tuple[str, str]) -> Answer:
    """Say what became of each."""
    said = [{"id": name, "status": status, "reason": "because"} for name, status in results]
    return 200, {}, json.dumps({"results": said}).encode()


def refused(status: int, error: str = "words", **headers: str) -> Answer:
    """Refuse the request."""
    return status, headers, json.dumps({"error": error}).encode()


@dataclass
class IngestStandIn:
    """What was asked, and what to answer; None drops the connection instead."""

    port: int = 0
    script: Script = ok
    requests: list[list[Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def ids(self) -> list[list[str]]:
        return [[message["id"] for message in request] for request in self.requests]


@contextmanager
def listening() -> Iterator[IngestStandIn]:
    """Run a stand-in on a free loopback port."""
    standin = IngestStandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            packed = self.rfile.read(int(self.headers["Content-Length"]))
            messages = json.loads(gzip.decompress(packed))["messages"]
            standin.requests.append(messages)
            standin.headers.append({"path": self.path, **dict(self.headers.items())})
            standin.connections.add(self.client_address)
            answer = standin.script(messages)
            if answer is None:
                self.close_connection = True
                return
            status, headers, body = answer
            self.send_response_only(status)  # without a Date: a test may set one
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    standin.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
