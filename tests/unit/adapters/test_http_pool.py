import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
import urllib3
from urllib3.exceptions import SSLError

from reflexarc.adapters.http.pool import IDLE_S, Answer, HttpPool, _tls_error
from reflexarc.kernel.errors import Ambiguous, Unavailable
from samples.standins.server import StandIns


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nothing_was_sent_to_a_closed_port(http: HttpPool) -> None:
    with pytest.raises(Unavailable, match=r"cannot reach 127\.0\.0\.1") as failure:
        http.post(f"http://127.0.0.1:{free_port()}/x", {})

    assert not isinstance(failure.value, Ambiguous)


def test_nothing_was_sent_to_an_unknown_host() -> None:
    pool = HttpPool(plain_http=frozenset({"nowhere.invalid"}))

    with pytest.raises(Unavailable, match=r"cannot reach nowhere\.invalid") as failure:
        pool.get("http://nowhere.invalid/secret", {})

    assert not isinstance(failure.value, Ambiguous)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("trouble", ["drop_before", "drop_after", "hang"])
def test_a_missing_answer_is_ambiguous(http: HttpPool, standins: StandIns, trouble: str) -> None:
    standins.faults.plan([{"vendor": "slack", "do": trouble, "seconds": 0.6}])

    with pytest.raises(Ambiguous, match=r"no answer from 127\.0\.0\.1"):
        http.post(f"{standins.url}/api/auth.test", {"a": 1})


@pytest.mark.parametrize(
    "url", ["http://example.com/x", "ftp://127.0.0.1/x", "//x", "http://[::1", "nonsense"]
)
def test_other_than_https_is_refused_except_on_loopback(http: HttpPool, url: str) -> None:
    with pytest.raises(Unavailable):
        http.post(url, {})


def test_plain_text_from_a_server_that_should_speak_tls_is_no_answer(
    http: HttpPool, standins: StandIns
) -> None:
    with pytest.raises(Ambiguous, match="broke"):
        http.post(standins.url.replace("http:", "https:"), {})


def test_a_refused_certificate_means_that_nothing_was_sent() -> None:
    import ssl  # noqa: PLC0415 - only this test needs it

    refused = ssl.SSLCertVerificationError(1, "certificate verify failed")
    refused.verify_message = "self-signed certificate"

    error = _tls_error("slack.com", SSLError(refused))

    assert type(error) is Unavailable
    assert str(error) == "slack.com has no valid certificate: self-signed certificate"
    assert type(_tls_error("slack.com", SSLError())) is Ambiguous


@contextmanager
def answering(*pieces: bytes) -> Iterator[str]:
    """Serve one connection with these pieces, then keep it open without another word."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(65_536)
                for piece in pieces:
                    connection.sendall(piece)
                over.wait(5)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()


_ENDLESS = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000000000\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "said"),
    [((_ENDLESS, b"n" * 5_000), b"n" * 1_000), ((_ENDLESS, b"no"), b"no"), ((_ENDLESS,), b"")],
)
def test_an_answer_without_end_is_not_waited_for(
    http: HttpPool, pieces: tuple[bytes, ...], said: bytes
) -> None:
    with answering(*pieces) as url:
        answer = http.post_body(url, b"{}", answer_max=1_000)

    assert (answer.status, answer.body) == (400, said)


def test_a_connection_is_used_again_after_a_whole_answer_that_is_cut(
    standins: StandIns, http: HttpPool
) -> None:
    url = f"{standins.url}/nowhere"

    for _ in range(3):
        assert http.post_body(url, b"{}", answer_max=1_000).status == 404

    made = http._manager.connection_from_url(url)
    assert isinstance(made, urllib3.HTTPConnectionPool)
    assert made.num_connections == 1


def test_a_connection_is_reused_until_it_has_idled(standins: StandIns) -> None:
    now = [0.0]
    pool = HttpPool(monotonic=lambda: now[0])
    url = f"{standins.url}/_log"

    def connections() -> int:
        made = pool._manager.connection_from_url(url)
        assert isinstance(made, urllib3.HTTPConnectionPool)
        return made.num_connections

    for now[0] in (0.0, IDLE_S, IDLE_S * 2):
        pool.get(url, {})
    assert connections() == 1
    now[0] += IDLE_S + 1
    pool.get(url, {})
    assert connections() == 1  # of a new pool: the idle connection was closed, not reused
    pool.close()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3), (None, 1), ("soon", 1), ("-5", 1), ("99999999999999", 999_999), ("²", 1)],
)
def test_retry_after_is_read_with_suspicion(header: str | None, seconds: int) -> None:
    headers = {} if header is None else {"Retry-After": header}

    answer = Answer(status=429, body=b"", headers=headers)

    assert answer.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_json_object_is_none(body: bytes) -> None:
    assert Answer(status=200, body=body, headers={}).json_object() is None
