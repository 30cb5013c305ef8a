"""The HTTP side of the stand-ins: keep-alive, no delays of its own, loopback only."""

import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from samples.standins.clicks import post, signed_click
from samples.standins.faults import Fault, Faults
from samples.standins.journal import Journal
from samples.standins.limits import Limits
from samples.standins.otlp import SIGNALS, OtlpStandIn
from samples.standins.pagerduty import PagerDutyStandIn
from samples.standins.reply import Reply
from samples.standins.slack import SlackStandIn
from samples.standins.webhook import WebhookStandIn

HOST = "127.0.0.1"
TOKEN = "xoxb-standin"  # noqa: S105 - a stand-in's token guards nothing
SIGNING_SECRET = "standin-signing-secret"  # noqa: S105 - nor does its signing secret
ROUTING_KEY = "standin0" * 4
WEBHOOK_PATH = "/services/T0STANDIN/B0STANDIN/webhook"
WEBHOOK_CHANNEL = "C0WEBHOOK"
HOOK = "/hooks/"
HOOK_KEY = "standin-signing-key-of-a-webhook"
OTLP = "/otlp/"
BODY_MAX, OTLP_BODY_MAX = 4 * 1024 * 1024, 8 * 1024 * 1024
WAIT_MAX_S = 30.0
_NOT_JSON = {
    "enqueue": Reply(status=400, body={"status": "invalid event", "errors": ["not JSON"]}),
    "webhook": Reply(status=400, body="invalid_payload"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """The vendors' rate limits, as they publish them."""

    slack_rate: float = 1.0  # messages a second and channel
    slack_burst: float = 4.0
    slack_calls_per_minute: float = 50.0  # tier 3: chat.update, conversations.*
    pagerduty_per_minute: float = 120.0  # events a routing key


@dataclass(slots=True)
class StandIns:
    """All receivers with their log and their faults, and the server in front of them."""

    slack: SlackStandIn
    pagerduty: PagerDutyStandIn
    webhook: WebhookStandIn
    otlp: OtlpStandIn = field(default_factory=OtlpStandIn)
    port: int = 0
    bind: str = HOST
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    _server: ThreadingHTTPServer | None = None

    @classmethod
    def made(cls, limited: Limited | None = None, port: int = 0) -> "StandIns":
        """Return stand-ins with these limits, not yet listening."""
        limits = limited or Limited()
        calls, events = limits.slack_calls_per_minute, limits.pagerduty_per_minute
        slack = SlackStandIn(
            token=TOKEN,
            webhook_path=WEBHOOK_PATH,
            webhook_channel=WEBHOOK_CHANNEL,
            posts=Limits(limits.slack_rate, limits.slack_burst),
            calls=Limits(calls / 60, calls),
        )
        pagerduty = PagerDutyStandIn(ROUTING_KEY, Limits(events / 60, events))
        return cls(slack, pagerduty, WebhookStandIn(HOOK_KEY), port=port)

    @property
    def url(self) -> str:
        """Return where the stand-ins listen."""
        return f"http://{HOST}:{self.port}"

    def addresses(self) -> dict[str, Any]:
        """Return what a client must know: URLs, and secrets in the product's own shape."""
        return {
            "url": self.url,
            "slack_api_url": f"{self.url}/api",
            "pagerduty_url": self.url,
            "webhook_channel": WEBHOOK_CHANNEL,
            "slack_secret": {
                "token": TOKEN,
                "webhook_url": self.url + WEBHOOK_PATH,
                "signing_secret": SIGNING_SECRET,
            },
            "pagerduty_secret": {"routing_key": ROUTING_KEY},
            "webhook_receiver_url": f"{self.url}{HOOK}pages",
            "webhook_secret": {"keys": {"webhook": [HOOK_KEY]}},
            "otlp_url": self.url + OTLP.rstrip("/"),
        }

    def start(self) -> None:
        """Listen, and serve from threads of their own."""
        handler = type("Handler", (_Handler,), {"standins": self})
        self._server = _Server((self.bind, self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def reset(self) -> None:
        """Forget messages, incidents, the log, faults and used-up limits."""
        vendors = (self.slack, self.pagerduty, self.webhook, self.otlp)
        for part in (*vendors, self.journal, self.faults):
            part.reset()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: clients of a test hang up whenever they like."""


class _Handler(BaseHTTPRequestHandler):
    standins: StandIns
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one segment
    timeout = 120

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's signature
        """Keep the terminal for the demo; `/_log` has it all."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if length > (OTLP_BODY_MAX if parts.path.startswith(OTLP) else BODY_MAX):
            self.close_connection = True
            self._answer(Reply(status=413, body="too large"))
            return
        body = self.rfile.read(length)
        received_at = time.time()
        if parts.path.startswith("/_"):
            self._answer(self._control(parts.path, dict(parse_qsl(parts.query)), body))
            return
        vendor, method = _addressed(parts.path)
        arguments = _object(body) if body else dict(parse_qsl(parts.query))
        fault = self.standins.faults.next(vendor, method)
        reply = self._reply(vendor, method, arguments, body, fault)
        self.standins.journal.add(
            {
                "at": received_at,
                "vendor": vendor,
                "kind": method,
                "status": reply.status if reply else None,
                "fault": fault.do if fault else None,
                **(reply.facts if reply else {}),
            }
        )
        if fault and fault.do == "hang":
            time.sleep(fault.seconds)
        if reply is None or (fault and fault.do == "drop_after"):
            self._hang_up()
        else:
            self._answer(reply)

    def _reply(
        self,
        vendor: str,
        method: str,
        arguments: dict[str, Any] | None,
        body: bytes,
        fault: Fault | None,
    ) -> Reply | None:
        """Return the vendor's answer, bent by a fault; None for none at all."""
        if fault and fault.do == "drop_before":
            return None
        if fault and fault.do == "status":
            headers = {"Retry-After": str(fault.retry_after)}
            return Reply(status=fault.status, body="scripted", headers=headers)
        if fault and fault.do == "error":
            facts = {"error": fault.error}
            return Reply(body={"ok": False, "error": fault.error}, facts=facts)
        if vendor in {"webhook", "otlp"}:
            return self._taken_as_it_is(vendor, method, body)
        if arguments is None:
            return _NOT_JSON.get(method, Reply(body={"ok": False, "error": "invalid_json"}))
        return self._vendor_reply(vendor, method, arguments, len(body))

    def _taken_as_it_is(self, vendor: str, method: str, body: bytes) -> Reply:
        headers = dict(self.headers.items())
        if vendor == "webhook":
            return self.standins.webhook.receive(body, headers)
        signal = urlsplit(self.path).path.removeprefix(f"{OTLP}{method}/v1/")
        if signal not in SIGNALS:
            return Reply(status=404, body="not found")
        return self.standins.otlp.receive(method, signal, body, headers)

    def _vendor_reply(
        self, vendor: str, method: str, arguments: dict[str, Any], size: int
    ) -> Reply:
        standins = self.standins
        if vendor == "pagerduty":
            return standins.pagerduty.enqueue(arguments, size)
        if method == "webhook":
            return standins.slack.webhook(urlsplit(self.path).path, arguments)
        if not method:
            return Reply(status=404, body="not found")
        return standins.slack.call(method, self.headers.get("Authorization", ""), arguments)

    def _control(self, path: str, query: dict[str, str], body: bytes) -> Reply:
        standins = self.standins
        if self.command == "POST":
            return self._command(path, body)
        if path == "/_log":
            wait_s = min(float(query.get("wait", 0)), WAIT_MAX_S)
            return Reply(body={"log": standins.journal.since(int(query.get("since", 0)), wait_s)})
        if path == "/_otlp_spans":
            return Reply(body=standins.otlp.spans(query.get("backend", "")))
        document = self._memory(path)
        return Reply(status=404, body="not found") if document is None else Reply(body=document)

    def _memory(self, path: str) -> dict[str, Any] | None:
        """Return what a vendor remembers, None where no vendor is asked."""
        standins = self.standins
        match path:
            case "/_slack":
                slack = standins.slack
                return {"channels": slack.channels, "whispers": slack.whispers}
            case "/_pagerduty":
                return {"incidents": standins.pagerduty.incidents}
            case "/_webhook":
                hook = standins.webhook
                return {"events": hook.events, "repeats": hook.repeats}
            case "/_otlp":
                backends = standins.otlp.backends.items()
                return {"backends": {name: each.told() for name, each in backends}}
        return None

    def _command(self, path: str, body: bytes) -> Reply:
        if path == "/_reset":
            self.standins.reset()
            return Reply(body={"ok": True})
        orders = {"/_faults": self._plan, "/_press": self._press, "/_otlp": self._configure}
        if path not in orders:
            return Reply(status=404, body="not found")
        try:
            orders[path](json.loads(body))
        except (ValueError, TypeError, LookupError, OSError) as error:
            return Reply(status=400, body={"ok": False, "error": str(error)})
        return Reply(body={"ok": True})

    def _plan(self, orders: Any) -> None:
        self.standins.faults.plan(orders if isinstance(orders, list) else [orders])

    def _configure(self, order: dict[str, Any]) -> None:
        self.standins.otlp.configure(order.pop("backend"), **order)

    def _press(self, order: dict[str, str]) -> None:
        """Let a person press a button of a page's message, and post what Slack would post."""
        channel, message = self.standins.slack.root(order["key"])
        headers, body = signed_click(
            message,
            order["action"],
            order["user"],
            SIGNING_SECRET,
            int(time.time()),
            channel=channel,
        )
        post(order["url"], headers, body)

    def _answer(self, reply: Reply) -> None:
        kind, content = _content(reply.body)
        kind = reply.headers.get("Content-Type", kind)
        others = {name: text for name, text in reply.headers.items() if name != "Content-Type"}
        with suppress(OSError):
            self.send_response(reply.status)
            for name, value in others.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _addressed(path: str) -> tuple[str, str]:
    """Return the vendor and the method that a path names; an empty method is unknown."""
    if path == "/v2/enqueue":
        return "pagerduty", "enqueue"
    if path.startswith(HOOK):
        return "webhook", "receive"
    if path.startswith(OTLP):
        return "otlp", path.removeprefix(OTLP).partition("/")[0]
    if path.startswith("/services/"):
        return "slack", "webhook"
    return "slack", path.removeprefix("/api/") if path.startswith("/api/") else ""


def _content(body: dict[str, Any] | str | bytes) -> tuple[str, bytes]:
    """Return the type and the bytes of an answer."""
    if isinstance(body, bytes):
        return "application/octet-stream", body
    if isinstance(body, str):
        return "text/plain", body.encode()
    return "application/json", json.dumps(body).encode()


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
