"""Lambda's Runtime API for one execution environment: what awslambdaric talks to.

The protocol is public: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RESPONSE_MAX = 6 * 1024 * 1024  # synchronous payload, .../latest/dg/gettingstarted-limits.html
_PREFIX = "/2018-06-01/runtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an invocation came to: the handler's JSON, or an error's."""

    payload: bytes
    failed: bool = False

    @classmethod
    def error(cls, kind: str, message: str) -> "Answer":
        """Return an error in the shape that Lambda reports."""
        body = f'{{"errorType": "{kind}", "errorMessage": "{message}"}}'
        return cls(payload=body.encode(), failed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One event on its way to the runtime."""

    event: bytes
    deadline_ms: int
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


class RuntimeApi:
    """Hands out one invocation at a time and takes its answer."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self.initialised = threading.Event()
        self.init_error: bytes | None = None
        self._next: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
        api = self

        class Handler(_Handler):
            runtime = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Return host:port, as AWS_LAMBDA_RUNTIME_API wants it."""
        return f"127.0.0.1:{self._server.server_port}"

    def invoke(self, event: bytes, timeout_s: float) -> Answer | None:
        """Run one event; None when no answer came in time."""
        # Rounded down: a function is never told of more time than it has.
        invocation = Invocation(event=event, deadline_ms=int((time.time() + timeout_s) * 1000))
        deadline = time.monotonic() + timeout_s
        self._next.put(invocation)
        while True:
            try:
                request_id, answer = self._answers.get(timeout=deadline - time.monotonic())
            except (queue.Empty, ValueError):  # ValueError: the deadline has passed
                return None
            if request_id == invocation.request_id:
                return answer

    def close(self) -> None:
        """Stop listening; a runtime that still waits for work is told that there is none."""
        self._next.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self) -> Invocation | None:
        """Wait for the next invocation: the runtime asking means that its init is over."""
        self.initialised.set()
        return self._next.get()

    def report(self, path: str, body: bytes) -> int:
        """Take what the runtime posts; return the HTTP status to answer."""
        if path == f"{_PREFIX}/init/error":
            self.init_error = body
            self.initialised.set()
            return 202
        request_id, _, kind = path.removeprefix(f"{_PREFIX}/invocation/").partition("/")
        if kind == "error":
            self._answers.put((request_id, Answer(payload=body, failed=True)))
        elif len(body) > RESPONSE_MAX:
            message = f"Response payload size ({len(body)} bytes) exceeded maximum allowed"
            answer = Answer.error("Function.ResponseSizeTooLarge", message)
            self._answers.put((request_id, answer))
            return 413
        else:
            self._answers.put((request_id, Answer(payload=body)))
        return 202


class _Handler(BaseHTTPRequestHandler):
    """HTTP in front of a RuntimeApi."""

    runtime: RuntimeApi
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # one packet an answer: headers and body apart would meet Nagle's delay
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        invocation = self.runtime.take()
        if invocation is None:
            self._answer(410, b"", {})
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.runtime.arn,
            "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            "Content-Type": "application/json",
        }
        self._answer(200, invocation.event, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(self.runtime.report(self.path, body), b'{"status": "OK"}', {})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Say nothing: the caller reports what matters."""

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
