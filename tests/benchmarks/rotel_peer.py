"""Rotel, a collector in Rust, as a peer: CPU seconds of its process for so many spans.

It takes OTLP/HTTP on loopback and throws everything away (`blackhole`), as it stands or with a
Python processor that applies the ten rules.
"""

import http.client
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import rotel  # type: ignore[import-untyped]

AGENT = Path(rotel.__file__).parent / "rotel-agent"
PROCESSOR = Path(__file__).with_name("rotel_processor.py")
REQUESTS, WARM = 40, 5
_HTTP, _GRPC = 14_618, 14_617
_STARTS_WITHIN_S, _SETTLES_S = 10.0, 2.0


def spans_per_second(payload: bytes, spans: int, *, with_rules: bool) -> float:
    """Return how many spans a second of CPU Rotel takes in."""
    options = ["--otlp-with-trace-processor", str(PROCESSOR)] if with_rules else []
    with _running(options) as agent:
        connection = http.client.HTTPConnection("127.0.0.1", _HTTP)
        _post(connection, payload, WARM)
        time.sleep(_SETTLES_S)
        before = _cpu(agent)
        _post(connection, payload, REQUESTS)
        time.sleep(_SETTLES_S)  # it works on after its answer
        return REQUESTS * spans / (_cpu(agent) - before)


@contextmanager
def _running(options: list[str]) -> Iterator[psutil.Process]:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(AGENT), "start", "--exporter", "blackhole"]
        command += ["--otlp-http-endpoint", f"127.0.0.1:{_HTTP}"]
        command += ["--otlp-grpc-endpoint", f"127.0.0.1:{_GRPC}", *options]
        with Path(folder, "log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603 - our own arguments
                command, cwd=folder, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            _wait(Path(folder, "log"))
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(10)


def _wait(log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        try:
            http.client.HTTPConnection("127.0.0.1", _HTTP).connect()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"Rotel does not answer: {log.read_text()[-500:]}")


def _post(connection: http.client.HTTPConnection, payload: bytes, times: int) -> None:
    for _ in range(times):
        connection.request(
            "POST", "/v1/traces", payload, {"content-type": "application/x-protobuf"}
        )
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise SystemExit(f"Rotel answered {answer.status}: {said[:200]!r}")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
