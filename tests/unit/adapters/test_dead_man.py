import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from reflexarc.adapters.http.dead_man import READ_S, DeadMan
from reflexarc.adapters.http.pool import CONNECT_S, HttpPool
from reflexarc.kernel.errors import Ambiguous, Unavailable

LONGEST_S = 5.0


@contextmanager
def server(status: int, *, sleeps_s: float = 0) -> Iterator[tuple[str, list[str]]]:
    """Serve one status to every GET; yield the address and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            time.sleep(sleeps_s)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            del format, args

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{serving.server_port}", asked
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()


def test_the_url_is_called_as_it_was_configured() -> None:
    with server(200) as (address, asked):
        DeadMan(HttpPool()).ping(f"{address}/ping/uuid?rid=1")

    assert asked == ["/ping/uuid?rid=1"]


@pytest.mark.parametrize("status", [404, 500])
def test_a_switch_that_refuses_is_told_without_its_secret(status: int) -> None:
    with server(status) as (address, _), pytest.raises(Unavailable) as failure:
        DeadMan(HttpPool()).ping(f"{address}/ping/secret-uuid")

    assert str(status) in str(failure.value)
    assert "secret-uuid" not in str(failure.value)


def test_plain_http_is_refused() -> None:
    with pytest.raises(Unavailable, match="other than by https"):
        DeadMan(HttpPool()).ping("http://hc.example.com/ping/1")


def test_a_switch_that_does_not_answer_is_given_up() -> None:
    with server(200, sleeps_s=0.4) as (address, _), pytest.raises(Ambiguous):
        DeadMan(HttpPool(read_s=0.1)).ping(address)

    assert CONNECT_S + READ_S <= LONGEST_S
