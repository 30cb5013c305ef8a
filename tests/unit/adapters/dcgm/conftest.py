import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[4] / "samples" / "dcgm"


@dataclass
class Exporter:
    """A program that listens where the exporter should; the test says how it answers."""

    url: str = ""
    status: int = 200
    kind: str = "text/plain; version=0.0.4"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    claim: int = 0
    drip_s: float = 0.0
    asked: int = 0

    def shows(self, name: str) -> None:
        self.body = (SAMPLES / name).read_bytes()


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    served = Exporter()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            self.send_response(served.status)
            self.send_header("Content-Type", served.kind)
            self.send_header("Content-Length", str(len(served.body) + served.claim))
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # the client may have had enough
                self._send()

        def _send(self) -> None:
            if not served.drip_s:
                self.wfile.write(served.body)
                return
            for number in range(len(served.body)):
                self.wfile.write(served.body[number : number + 1])
                time.sleep(served.drip_s)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        served.url = f"http://127.0.0.1:{server.server_address[1]}/metrics"
        yield served
        server.shutdown()
