"""Fetches one page over HTTP: bounded in time and size, from the host that was named only."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError

from reflexarc.kernel.errors import Rejected, Unavailable

PAGE_MAX = 8 << 20
CONNECT_S = 1.0
# The exporter answers from memory; a page of 8 GPUs takes it milliseconds.
TOTAL_S = 4.0
_CHUNK = 64 << 10
_OK = 200


class Scraper:
    """Gets one page at a time. Tells 'nothing listens here' from 'it fails'."""

    def __init__(
        self,
        url: str,
        *,
        total_s: float = TOTAL_S,
        page_max: int = PAGE_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._total_s = total_s
        self._page_max = page_max
        self._monotonic = monotonic
        self._answered = False
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_S, read=total_s), retries=False, maxsize=1
        )

    def page(self) -> str:
        """Return the page; raises Rejected where nobody ever answered, else Unavailable."""
        _check(self._url)
        try:
            response = self._pool.request(
                "GET",
                self._url,
                redirect=False,
                preload_content=False,
                headers={"Accept": "text/plain;version=0.0.4"},
            )
        except NewConnectionError as error:
            words = (
                f"nothing listens at {self._url}: start dcgm-exporter there, or correct dcgm_url"
            )
            raise (Unavailable if self._answered else Rejected)(words) from error
        except HTTPError as error:
            raise self._failed(f"does not answer ({type(error).__name__})") from error
        self._answered = True
        try:
            return self._text(response)
        finally:
            # Whatever was not read of the answer would be taken for the start of the next one.
            response.close()
            response.release_conn()

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()

    def _text(self, response: urllib3.BaseHTTPResponse) -> str:
        if response.status != _OK:
            raise self._failed(f"answers {response.status}")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in ("", "text/plain", "application/openmetrics-text"):
            raise self._failed(f"answers with {kind[:60]!r}, not with metrics")
        return self._body(response).decode("utf-8", "replace")

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        deadline = self._monotonic() + self._total_s
        body = bytearray()
        try:
            # read1 returns what has come: a server that drips cannot hold us beyond the deadline.
            while chunk := response.read1(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > self._page_max:
                    raise self._failed(f"answers with more than {self._page_max >> 20} MiB")
                if self._monotonic() > deadline:
                    raise self._failed(f"takes more than {self._total_s:g} s for a page")
        except (HTTPError, OSError) as error:
            raise self._failed(f"breaks off its answer ({type(error).__name__})") from error
        return bytes(body)

    def _failed(self, what: str) -> Unavailable:
        return Unavailable(
            f"the DCGM exporter at {self._url} {what}:"
            f" look at it with `curl -m 5 {self._url}` and at its log"
        )


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known or parts.username or parts.password:
        raise Rejected(
            "dcgm_url is no address of a page: write it like http://localhost:9400/metrics,"
            " without user and password"
        )
