"""One connection pool for every vendor: bounded waits, no retries of its own, TLS verified.

Retrying is the queue's business. Errors tell whether the request can have taken effect: Unavailable
when nothing was sent, Ambiguous when the answer is missing.
"""

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    SSLError,
)

from reflexarc.kernel.errors import Ambiguous, Unavailable

CONNECT_S = 2.0
READ_S = 4.0
# A function is frozen between invocations and vendors close idle connections meanwhile; a request
# on such a connection has no answer, which costs a reconciliation. A new handshake is cheaper.
IDLE_S = 30.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a vendor answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json_object(self) -> dict[str, Any] | None:
        """Return the body if it is a JSON object, else None."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None

    def text(self) -> str:
        """Return the start of the body, for an error message."""
        return self.body[:200].decode("utf-8", "replace").strip()

    @property
    def retry_after(self) -> timedelta:
        """Return the Retry-After header; one second when it is absent or makes no sense."""
        value = self.headers.get("Retry-After", "").strip()
        return timedelta(seconds=int(value[:6]) if value.isascii() and value.isdigit() else 1)


class HttpPool:
    """Posts and gets with the limits of this module. Plain http goes to `plain_http` hosts only."""

    def __init__(
        self,
        *,
        plain_http: frozenset[str] = LOOPBACK,
        read_s: float = READ_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plain_http = plain_http
        self._monotonic = monotonic
        self._used_at = monotonic()
        self._manager = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_S, read=read_s), retries=False
        )

    def post(
        self, url: str, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Post a JSON document."""
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return self.post_body(url, body, headers)

    def post_body(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        answer_max: int | None = None,
    ) -> Answer:
        """Post JSON as it is, byte for byte: a signature covers it.

        With `answer_max`, only what has come of the answer is read, at most so many bytes: it may
        be endless, or trickle.
        """
        content = {"Content-Type": "application/json; charset=utf-8"}
        return self._request("POST", url, body, {**content, **(headers or {})}, answer_max)

    def get(
        self, url: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Get with a query string."""
        asked = f"{url}?{urlencode(query)}" if query else url
        return self._request("GET", asked, None, dict(headers or {}))

    def close(self) -> None:
        """Close every idle connection."""
        self._manager.clear()

    def _request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: dict[str, str],
        answer_max: int | None = None,
    ) -> Answer:
        # Errors name the host only: a webhook's path is a secret.
        host = self._host_of(url)
        self._drop_idle_connections()
        try:
            response = self._manager.request(
                method,
                url,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=answer_max is None,
            )
        except (NewConnectionError, ConnectTimeoutError, LocationValueError) as error:
            raise Unavailable(f"cannot reach {host}: {type(error).__name__}") from None
        except SSLError as error:
            raise _tls_error(host, error) from None
        except HTTPError as error:
            raise Ambiguous(f"no answer from {host}: {type(error).__name__}") from None
        said = response.data if answer_max is None else _beginning(response, answer_max)
        return Answer(status=response.status, body=said, headers=dict(response.headers.items()))

    def _host_of(self, url: str) -> str:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            raise Unavailable("a vendor's URL is malformed") from None
        if parts.scheme == "https" or (parts.scheme == "http" and host in self._plain_http):
            return host
        raise Unavailable(f"refusing to speak to {host or 'a vendor'} other than by https")

    def _drop_idle_connections(self) -> None:
        now = self._monotonic()
        if now - self._used_at > IDLE_S:
            self._manager.clear()
        self._used_at = now


def _beginning(response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    """Return what a single read brings; the status says enough where it brings nothing."""
    try:
        return response.read1(most)
    except HTTPError:
        return b""
    finally:
        # What is left unread would be taken for the next answer; after a whole one this does
        # nothing, and the connection is used again.
        response.close()


def _tls_error(host: str, error: SSLError) -> Unavailable:
    """Tell a refused certificate (nothing was sent) from a connection that broke later."""
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unavailable(f"{host} has no valid certificate: {cause.verify_message}")
    return Ambiguous(f"the connection to {host} broke: {type(cause).__name__}")
