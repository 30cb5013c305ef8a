"""A tiny SQS that tests can make unreachable, forgetful of answers, or slow."""

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from reflexarc.events.gpu_faults import Finding, GpuFaults
from reflexarc.events.gpu_readings import GpuReadings


class SqsStandIn:
    """Keeps what was sent to each queue, in order."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[str]] = defaultdict(list)
        self.unreachable = False
        self.lose_every = 0
        self.requests = 0
        self._lock = threading.Lock()
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = standin.answer(self.headers["X-Amz-Target"], request)
                if answer is None:
                    self.close_connection = True
                    return
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url(self, queue: str) -> str:
        return f"{self.endpoint}/000000000000/{queue}"

    def answer(self, target: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """Take the messages; None leaves the sender without an answer."""
        with self._lock:
            self.requests += 1
            if self.unreachable:
                return None
            queue = request["QueueUrl"].rpartition("/")[2]
            entries = request.get("Entries") or [request]
            self.bodies[queue] += [entry["MessageBody"] for entry in entries]
            if self.lose_every and self.requests % self.lose_every == 0:
                return None
        if target.endswith("Batch"):
            return {"Successful": [_accepted(entry) for entry in entries], "Failed": []}
        return _accepted(request)

    def faults(self) -> dict[str, GpuFaults]:
        """Return the fault messages by id, as a consumer that ignores duplicates sees them."""
        read = [GpuFaults.model_validate_json(body) for body in list(self.bodies["gpu-faults"])]
        return {each.id: each for each in read}

    def counts(self) -> dict[str, int]:
        """Return how often each line was reported."""
        counts: dict[str, int] = defaultdict(int)
        for message in self.faults().values():
            for fault in message.faults:
                counts[fault.line] += fault.count
        return dict(counts)

    def findings(self) -> list[Finding]:
        """Return the findings in the order of their messages, each message once."""
        messages = sorted(self.faults().values(), key=lambda each: each.seq)
        return [finding for message in messages for finding in message.findings]

    def heartbeats(self) -> list[GpuReadings]:
        bodies = list(self.bodies["gpu-readings"])
        return [GpuReadings.model_validate_json(body) for body in bodies]

    @contextmanager
    def running(self) -> Iterator["SqsStandIn"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _accepted(entry: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.md5(entry["MessageBody"].encode(), usedforsecurity=False).hexdigest()
    return {"Id": entry.get("Id"), "MessageId": str(uuid4()), "MD5OfMessageBody": digest}
