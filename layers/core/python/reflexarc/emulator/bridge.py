"""Sends the emulator's invocations of a function to sandboxes of our own.

ministack forwards the event of any function whose MINISTACK_LAMBDA_PROXY_URL is set; it can be
set after the deployment, so the committed template needs no change.
"""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.sandbox import Sandbox

PROXY = "MINISTACK_LAMBDA_PROXY_URL"


class Bridge:
    """An HTTP server that runs each event in an idle sandbox, or in a new one."""

    def __init__(self, make: Callable[[], Sandbox]) -> None:
        self._make = make
        self._idle: list[Sandbox] = []
        self._all: list[Sandbox] = []
        self._ran_ms: list[float] = []
        self._lock = threading.Lock()
        bridge = self

        class Handler(_Handler):
            target = bridge

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the address that the emulator posts events to."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    @property
    def inits_ms(self) -> list[float]:
        """Return how long each sandbox took to start, in order."""
        return [sandbox.init_ms for sandbox in self._all]

    @property
    def ran_ms(self) -> list[float]:
        """Return how long each invocation took, starts apart, in the order of their ends."""
        return list(self._ran_ms)

    @property
    def limit(self) -> str:
        """Return how the sandboxes' CPU was limited."""
        return self._all[-1].limit if self._all else "not started"

    def run(self, event: bytes) -> tuple[int, bytes]:
        """Run one event; return the HTTP status and body that the emulator understands."""
        with self._lock:
            sandbox = self._idle.pop() if self._idle else None
        if sandbox is None:
            sandbox = self._make()
            self._all.append(sandbox)
        began = time.monotonic()
        answer = sandbox.invoke(event)
        self._ran_ms.append((time.monotonic() - began) * 1000)
        if sandbox.alive:
            with self._lock:
                self._idle.append(sandbox)
        return (500 if answer.failed else 200), answer.payload

    def chill(self) -> None:
        """End every sandbox: the next event meets a cold start."""
        with self._lock:
            self._idle.clear()
        for sandbox in self._all:
            if sandbox.alive:
                sandbox.close()

    def close(self) -> None:
        """Stop listening and end every sandbox."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.chill()


class _Handler(BaseHTTPRequestHandler):
    """HTTP in front of a Bridge."""

    target: Bridge
    wbufsize = 65_536

    def do_POST(self) -> None:
        event = self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.target.run(event)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Say nothing: the emulator's log has the invocation."""


def attach(endpoint: Endpoint, function: str, url: str) -> None:
    """Make the emulator send this function's invocations to the bridge."""
    client = endpoint.client("lambda")
    settings = client.get_function_configuration(FunctionName=function)
    variables = settings.get("Environment", {}).get("Variables", {})
    client.update_function_configuration(
        FunctionName=function, Environment={"Variables": {**variables, PROXY: url}}
    )


def detach(endpoint: Endpoint, function: str) -> None:
    """Give the function back to the emulator's own workers."""
    client = endpoint.client("lambda")
    settings = client.get_function_configuration(FunctionName=function)
    variables = dict(settings.get("Environment", {}).get("Variables", {}))
    variables.pop(PROXY, None)
    client.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables}
    )
