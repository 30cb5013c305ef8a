"""A function URL on loopback: HTTP in, an event of payload 2.0 to the deployed function, HTTP out.

The emulator answers at a function URL by its host name alone, and believes whatever key a request
names. Here a signature is computed anew from the caller's secret key, as AWS does, and what counts
as text is what counts as text there; the rest of the body rules of AWS are its size limits.
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

import base64
import json
import re
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from reflexarc.emulator.endpoint import Endpoint

# Under TOKEN and NONE everybody is let through: the function checks who calls, by its own means.
Auth = Literal["AWS_IAM", "TOKEN", "NONE"]
PAYLOAD_MAX = 6 * 1024 * 1024  # .../latest/dg/gettingstarted-limits.html
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
SKEW_MAX_S = 300
# Everything else comes in base64, whatever its encoding says: found with HTTP APIs, whose format
# this is (https://github.com/ministackorg/ministack/pull/766).
_TEXT = re.compile(r"text/.*|application/(json|xml|javascript)")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/lambda/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
_FORBIDDEN = (403, {"content-type": "application/json"}, b'{"Message":"Forbidden"}')
_ERROR = (502, {"content-type": "application/json"}, b'{"message":"Internal Server Error"}')

Answer = tuple[int, Mapping[str, str], bytes]


class FunctionUrl:
    """Serves one function until it is closed. `auth` may be changed meanwhile, as a stack's may."""

    def __init__(
        self,
        endpoint: Endpoint,
        function: str,
        callers: Iterable[Endpoint] = (),
        auth: Auth = "AWS_IAM",
    ) -> None:
        self.auth: Auth = auth
        self._endpoint = endpoint
        self._function = function
        self._callers = {caller.access_key: caller for caller in callers}
        served = self

        class Handler(_Handler):
            target = served

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the address, with a slash at its end as AWS writes it."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Run the function on one request; `headers` have names in lower case."""
        signer = None
        if self.auth == "AWS_IAM":
            signer = self._signer(method, path, headers, body)
            if signer is None:
                return _FORBIDDEN
        event = json.dumps(_event(method, path, headers, body, signer)).encode()
        if len(event) > PAYLOAD_MAX:
            return 413, {}, b'{"Message":"Request Entity Too Large"}'
        ran = self._endpoint.client("lambda").invoke(FunctionName=self._function, Payload=event)
        return _ERROR if ran.get("FunctionError") else _http(json.loads(ran["Payload"].read()))

    def _signer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, Any] | None:
        """Return who signed a request; None unless the signature is what their secret makes."""
        found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        caller = self._callers.get(found[1]) if found else None
        if found is None or caller is None or not _is_fresh(headers.get("x-amz-date", "")):
            return None
        wanted = signature(caller, found[3], found[4].split(";"), (method, path, headers, body))
        return identity(caller) if wanted == found[5] else None


def signature(
    caller: Endpoint,
    region: str,
    signed: Iterable[str],
    request: tuple[str, str, Mapping[str, str], bytes],
) -> str:
    """Return the signature that this caller's secret makes of a request."""
    method, path, headers, body = request
    made = AWSRequest(
        method=method,
        url=f"http://{headers.get('host', '')}{path}",
        data=body,
        headers={name: headers.get(name, "") for name in signed},
    )
    made.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(caller.access_key, caller.secret_key), "lambda", region)
    return str(auth.signature(auth.string_to_sign(made, auth.canonical_request(made)), made))


@cache
def identity(caller: Endpoint) -> dict[str, Any]:
    """Return what AWS would say of a caller in `authorizer.iam`."""
    said = replace(caller).make_client("sts").get_caller_identity()
    return {
        "accessKey": caller.access_key,
        "accountId": said["Account"],
        "callerId": said["UserId"],
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": said["Arn"],
        "userId": said["UserId"],
    }


def _is_fresh(stamp: str) -> bool:
    try:
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs((datetime.now(UTC) - at).total_seconds()) <= SKEW_MAX_S


def _event(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    signer: dict[str, Any] | None,
) -> dict[str, Any]:
    parts = urlsplit(path)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_text = _TEXT.fullmatch(kind) is not None
    context: dict[str, Any] = {
        "accountId": signer["accountId"] if signer else "anonymous",
        "apiId": "loopback",
        "domainName": headers.get("host", ""),
        "domainPrefix": "loopback",
        "http": {
            "method": method,
            "path": parts.path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": "$default",
        "stage": "$default",
        "timeEpoch": round(time.time() * 1000),
    }
    if signer:
        context["authorizer"] = {"iam": signer}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        # A signature is Lambda's to read; the function does not see it.
        "headers": {
            name: value
            for name, value in headers.items()
            if signer is None or name != "authorization"
        },
        "requestContext": context,
        "body": body.decode("utf-8", "replace") if is_text else base64.b64encode(body).decode(),
        "isBase64Encoded": not is_text,
    }


def _http(answer: Mapping[str, Any]) -> Answer:
    body: str = answer.get("body", "")
    raw = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    return int(answer["statusCode"]), answer.get("headers", {}), raw


class _Handler(BaseHTTPRequestHandler):
    """HTTP in front of a FunctionUrl."""

    target: FunctionUrl
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # one packet an answer: headers and body apart would meet Nagle's delay
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Say nothing: the function's log has the request."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            name = name.lower()  # noqa: PLW2901 - the same name, as an event spells it
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        status, told, answer = self.target.answer(self.command, self.path, headers, body)
        self.send_response(status)
        for name, value in told.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()
