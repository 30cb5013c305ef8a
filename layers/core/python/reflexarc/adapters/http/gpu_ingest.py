"""Fills Queue (agent) with `POST /v1/gpu`; each error says what an operator can do about it.

A message that was perhaps accepted is reported as not accepted: it is sent again under the same id,
and the cloud ignores ids that it knows.
"""

import gzip
import json
import re
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from reflexarc.adapters.http.date_header import skew_s
from reflexarc.kernel.errors import RateLimited, ReflexError, Rejected, Unavailable

PATH = "/v1/gpu"
# Ingest answers within its timeout of 15 s; the spool is the retry.
CONNECT_S, READ_S = 2.0, 16.0
# Ten messages of repetitive JSON: the fastest level already makes a tenth of them.
_FAST = 1
# What is asked for beyond this is a mistake, and faults wait.
LONGEST_WAIT = timedelta(minutes=1)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_REGION = re.compile(r"\.lambda-url\.([a-z0-9-]+)\.on\.aws$")
_GUIDE = "docs/guides/https-sink.md"

Entries = Sequence[tuple[str, str]]


class Signer(Protocol):
    """Says who sends."""

    def headers(self, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers with those that prove it; raises Unavailable, with advice."""

    def advice(self) -> str:
        """Return what an operator can do when the proof is not accepted."""


def address_of(url: str) -> str:
    """Return where to post for a stack's IngestUrl; raises Rejected where it is none."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise Rejected(f"{url!r} is no URL: {error}") from error
    if parts.query or parts.fragment or parts.username or not host:
        raise Rejected(f"{url!r} is no IngestUrl: take it from the stack's outputs")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        raise Rejected(f"{url!r} must begin with https://: http is for this machine alone")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path if path.endswith(PATH) else path + PATH}"


def region_of(url: str) -> str | None:
    """Return the region that a function URL names."""
    found = _REGION.search(urlsplit(url).hostname or "")
    return found[1] if found else None


def pool_for(url: str) -> urllib3.PoolManager:
    """Return a pool that keeps a connection open for each lane, through the proxy if there is one.

    https_proxy and no_proxy are read as every tool of the node reads them.
    """
    parts = urlsplit(url)
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=CONNECT_S, read=READ_S),
        "retries": False,
        "maxsize": 2,
    }
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None or urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.PoolManager(**options)
    return urllib3.ProxyManager(proxy, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuIngest:
    """Posts to one URL, one request at a time for each courier."""

    url: str
    signer: Signer
    pool: urllib3.PoolManager = field(repr=False)

    def send(self, entries: Entries) -> Mapping[str, ReflexError]:
        """Send messages in one request, or in several where that is too large."""
        body = gzip.compress(
            f'{{"messages":[{",".join(body for _, body in entries)}]}}'.encode(), _FAST, mtime=0
        )
        answer = self._post(body)
        match answer.status:
            case 200:
                return _results(answer, entries)
            case 400 | 413:
                return self._in_parts(answer, entries)
            case 401 | 403:
                raise Unavailable(
                    f"{self._host} refuses this node{_said(answer)}: {self.signer.advice()}"
                    f"{_skew(answer)}; nothing is lost ({_GUIDE})"
                )
            case 429:
                raise RateLimited(
                    f"{self._host} takes no more for now{_said(answer)}", _retry_after(answer)
                )
            case 404 | 405:
                raise Unavailable(
                    f"{self.url} is not what answers there{_said(answer)}: compare it with the"
                    " stack's output IngestUrl"
                )
        raise Unavailable(f"{self._host} answered HTTP {answer.status}{_said(answer)}")

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or ""

    def _post(self, body: bytes) -> urllib3.BaseHTTPResponse:
        # Not application/json: AWS makes text of what is called JSON, and spoils packed bytes.
        headers = {"Content-Type": "application/octet-stream", "Content-Encoding": "gzip"}
        signed = self.signer.headers(self.url, body, headers)
        try:
            return self.pool.request(
                "POST", self.url, body=body, headers=dict(signed), redirect=False
            )
        except SSLError as error:
            raise Unavailable(
                f"no safe connection to {self._host}: check its certificate, the node's clock and"
                f" a proxy that opens TLS: {error}"
            ) from error
        except (NewConnectionError, ConnectTimeoutError, ProxyError) as error:
            raise Unavailable(
                f"cannot reach {self._host}: check DNS, the route and the proxy: {error}"
            ) from error
        except HTTPError as error:
            raise Unavailable(
                f"no answer from {self._host}; it is sent again under the same id: {error}"
            ) from error

    def _in_parts(
        self, answer: urllib3.BaseHTTPResponse, entries: Entries
    ) -> Mapping[str, ReflexError]:
        """Send halves, so that one message which is refused for ever holds up no other."""
        if len(entries) == 1:
            message_id = entries[0][0]
            return {message_id: Rejected(f"HTTP {answer.status}{_said(answer)}")}
        middle = len(entries) // 2
        problems = dict(self.send(entries[:middle]))
        try:
            return {**problems, **self.send(entries[middle:])}
        except Unavailable as error:  # the first half is known, so it is not raised
            return {**problems, **{message_id: error for message_id, _ in entries[middle:]}}


def _results(answer: urllib3.BaseHTTPResponse, entries: Entries) -> Mapping[str, ReflexError]:
    results = _object(answer).get("results")
    if not isinstance(results, list) or len(results) != len(entries):
        raise Unavailable(
            "the answer does not say what became of each message; they are sent again"
            f" under the same ids{_said(answer)}"
        )
    problems: dict[str, ReflexError] = {}
    for (message_id, _), result in zip(entries, results, strict=True):
        status = result.get("status") if isinstance(result, dict) else None
        reason = str(result.get("reason", ""))[:300] if isinstance(result, dict) else ""
        if status == "rejected":
            problems[message_id] = Rejected(f"ingest refuses this message: {reason}")
        elif status != "accepted" or result.get("id") != message_id:
            problems[message_id] = Unavailable(f"ingest did not take this message: {reason}")
    return problems


def _object(answer: urllib3.BaseHTTPResponse) -> Mapping[str, Any]:
    try:
        document = json.loads(answer.data)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _said(answer: urllib3.BaseHTTPResponse) -> str:
    """Return the answer's own words; Lambda's are under other names than ours."""
    document = _object(answer)
    words = document.get("error") or document.get("Message") or document.get("message")
    return f" ({str(words)[:300]})" if words else ""


def _retry_after(answer: urllib3.BaseHTTPResponse) -> timedelta:
    value = answer.headers.get("Retry-After", "").strip()
    seconds = int(value[:6]) if value.isascii() and value.isdigit() else 1
    return min(timedelta(seconds=seconds), LONGEST_WAIT)


def _skew(answer: urllib3.BaseHTTPResponse) -> str:
    """Return how far this node's clock is off, where that is enough to spoil a signature."""
    skew = skew_s(answer.headers.get("Date"))
    if skew is None or abs(skew) <= 60:  # noqa: PLR2004
        return ""
    return f"; this node's clock is {skew:+.0f} s off"
