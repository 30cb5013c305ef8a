"""Fills telemetry.ports.Exporter: posts export requests to backends, with their keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from reflexarc.adapters.http.pool import LOOPBACK, Answer, HttpPool
from reflexarc.adapters.otlp_http.answers import (
    ANSWER_MAX,
    PROTOBUF,
    KeyRefused,
    error_of,
    taken,
)
from reflexarc.adapters.otlp_http.keys import BackendKeys
from reflexarc.adapters.secrets.refusal import despite_refusal
from reflexarc.adapters.secrets.secret import Secret
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.packed import Encoding
from reflexarc.kernel.clock import Clock, system_clock
from reflexarc.kernel.errors import Ambiguous, Unavailable
from reflexarc.telemetry.backends import Backend, SecretKey


@dataclass(frozen=True, kw_only=True)
class OtlpHttpExporter:
    """Speaks OTLP/HTTP in protobuf. Keys are read when a backend first needs one."""

    secret: Secret[BackendKeys]
    session: Callable[[], botocore.session.Session] = botocore.session.get_session
    clock: Clock = system_clock
    _pools: dict[tuple[float, frozenset[str]], HttpPool] = field(default_factory=dict)

    def send(
        self, backend: Backend, signal: OtlpSignal, body: bytes, encoding: Encoding
    ) -> tuple[int, str]:
        """Return how many items the backend rejected of a request that it took, and its words."""
        if not any(isinstance(value, SecretKey) for value in backend.headers.values()):
            return self._post(backend, signal, body, encoding, {})
        return despite_refusal(
            self.secret,
            KeyRefused,
            lambda keys: self._post(backend, signal, body, encoding, _keys(backend, keys)),
        )

    def _post(
        self,
        backend: Backend,
        signal: OtlpSignal,
        body: bytes,
        encoding: Encoding,
        keys: Mapping[str, str],
    ) -> tuple[int, str]:
        url = f"{backend.endpoint.rstrip('/')}/v1/{signal}"
        headers = {
            "Content-Type": PROTOBUF,
            "User-Agent": "reflexarc",
            **({"Content-Encoding": encoding} if encoding != "identity" else {}),
            **{name: text for name, text in backend.headers.items() if isinstance(text, str)},
            **keys,
        }
        if backend.sign is not None:
            headers = self._signed(backend.sign.service, backend.sign.region, url, body, headers)
        try:
            answer = self._pool(backend).post_body(url, body, headers, answer_max=ANSWER_MAX)
        except Ambiguous as error:
            raise Unavailable(str(error)) from error
        return self._read(answer, signal)

    def _read(self, answer: Answer, signal: OtlpSignal) -> tuple[int, str]:
        error = error_of(answer, self.clock())
        if error is not None:
            raise error
        return taken(answer, signal)

    def _pool(self, backend: Backend) -> HttpPool:
        host = urlsplit(backend.endpoint).hostname or ""
        plain = LOOPBACK | ({host} if backend.insecure else frozenset())
        key = backend.timeout_s, plain
        if key not in self._pools:
            self._pools[key] = HttpPool(plain_http=plain, read_s=backend.timeout_s)
        return self._pools[key]

    def _signed(
        self, service: str, region: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> dict[str, str]:
        try:
            credentials = self.session().get_credentials()
            if credentials is None:
                raise Unavailable("there are no AWS credentials to sign with")
            request = AWSRequest(method="POST", url=url, data=body, headers=dict(headers))
            SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
        except BotoCoreError as error:
            raise Unavailable(f"there are no AWS credentials to sign with: {error}") from error
        return dict(request.headers.items())


def _keys(backend: Backend, keys: BackendKeys) -> Mapping[str, str]:
    """Return the headers whose values are in the secret."""
    found: dict[str, str] = {}
    for name, value in backend.headers.items():
        if isinstance(value, SecretKey):
            key = keys.of(value.secret)
            if key is None or not key.isprintable():
                raise KeyRefused(
                    f"the telemetry secret has no usable {value.secret!r} for {backend.name}"
                )
            found[name] = key
    return found
