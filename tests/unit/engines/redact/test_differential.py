"""The fast way against the slow one, on random requests: the same bytes, the same counts.

The slow way has no gates and no splicing: it examines every text of a tree from which the request
is written, and writes it again. A second one walks through plain protobuf messages.
"""

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from google.protobuf.message import Message as Proto
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.engines.otlp.wire import varint
from reflexarc.engines.redact.names import Names
from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import Detectors, RedactionPattern, RedactionPolicy
from reflexarc.engines.redact.schema import BYTES_VALUE, KEY, REQUESTS, VALUE, Message, Role
from reflexarc.engines.redact.text import TextRedactor
from reflexarc.events.otlp_batch import OtlpSignal

PROTOS: dict[OtlpSignal, type[Proto]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
NAMES = ("a", "password", "DB.Password", "user.mail", "id", "gen_ai.prompt", "key\u0081", "", "é")
PIECES = (
    *("bob@example.com", "4111 1111 1111 1111", "4111111111111111", "378282246310005", "@", "@a"),
    *("+14155552671", "415-555-2671", "020 7946 0958", "01.23.45.67.89", "(415) 555-2671"),
    *("AKIAIOSFODNN7EXAMPLE", "ghp_" + "a1" * 18, "sk-proj-abcdef0123456789", "sk-", "eyJ"),
    *("password=hunter2", '"secret":"x"', "Bearer 0123456789abcdef", "-----BEGIN PRIVATE KEY-----"),
    *("https://u:p@h/", "bob%40example.com", "%2B14155552671", "\\u0040", "\\n", "\\", '\\"', '"'),
    *("josé@example.com", "é", "語", "EMP123", "EMP", "1", "12345678", "2024-08-06", "0000", " "),
    *(" ", "\n", ".", "-", "_", "x", "A", "deadbeef", "1760000000000000000", "xoxb-1234567890a"),
    *("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0", "rxa_0123456789abcdef_" + "0a" * 32, "\\/\\/", "://"),
    *("bob\\u0040example.com", "https:\\/\\/u:p@h", "hf_" + "aB" * 17, "Cookie: a=b", "token"),
)
POLICIES = (
    RedactionPolicy(),
    RedactionPolicy(allow=("id", "user.*"), also=("*.mail",), mode="hash"),
    RedactionPolicy(
        patterns=(
            RedactionPattern(name="staff", pattern=r"\bEMP[0-9]+$"),
            RedactionPattern(name="word", pattern="語|[^a-z]beef"),
        )
    ),
    RedactionPolicy(
        attributes=("*id*",),
        detectors=Detectors(email=False, card=False, keys=False, phone=False),
        patterns=(RedactionPattern(name="date", pattern=r"^\d{4}-\d\d"),),
    ),
    RedactionPolicy(detectors=Detectors(email=False, keys=False, phone=False)),
)
SALT = b"0123456789abcdef"


@dataclass
class Node:
    """A length-delimited field as it stands on the wire, or raw bytes (number 0)."""

    number: int
    padding: int
    content: "bytes | list[Node]"
    message: Message | None = None


class Writer:
    """Writes random requests, with all that the wire form allows."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self) -> bytes:
        count = self.random.choice((0, 1, 1, 2, 3, 6, 12))
        text = "".join(self.random.choices(PIECES, k=count)).encode()
        return text * (300 if self.random.random() < 0.002 else 1)

    def node(self, number: int, content: "bytes | list[Node]", message: Message | None) -> Node:
        padding = self.random.choice((0, 0, 0, 1, 2))
        return Node(number, padding, content, message)

    def raw(self) -> Node:
        unknown = b"\xba\x3e\x0fbob@example.com", b"\xb8\x3e\x07", b"\xbb\x3e\x08\x01\xbc\x3e"
        number = self.random.randbytes(8)
        return Node(0, 0, self.random.choice((*unknown, b"\xb9\x3e" + number, b"\xbd\x3e12-4")))

    def message(self, message: Message, depth: int = 0) -> list[Node]:
        nodes = [self.raw()] if self.random.random() < 0.15 else []
        if message.role is Role.ATTRIBUTE:
            nodes.append(self.node(KEY, self.random.choice(NAMES).encode(), None))
        likely = 0.7 if message.role is Role.VALUE else 1
        nodes += [
            self.node(number, self.text(), None)
            for number in message.texts
            if self.random.random() < likely
        ]
        if message.role is Role.VALUE and self.random.random() < 0.2:
            binary = self.random.random() < 0.5
            value = self.text() + (b"\xff\xfe" if binary else b"")
            nodes.append(self.node(BYTES_VALUE, value, None))
        likely = 0.25 if message.role is Role.VALUE else 0.9 - depth / 10
        nodes += [
            self.node(number, self.message(inner, depth + 1), inner)
            for number, inner in (*message.messages.items(), *message.messages.items())
            if depth < 14 and self.random.random() < likely
        ]
        self.random.shuffle(nodes)
        return nodes


def written(nodes: list[Node], *, minimal: frozenset[int] = frozenset()) -> bytes:
    parts = []
    for node in nodes:
        if node.number == 0:
            assert isinstance(node.content, bytes)
            parts.append(node.content)
            continue
        inner = node.content
        content = inner if isinstance(inner, bytes) else written(inner, minimal=minimal)
        size = bytearray(varint(len(content)))
        if node.padding and id(node) not in minimal:
            size[-1] |= 0x80
            size += b"\x80" * (node.padding - 1) + b"\0"
        parts += (varint(node.number << 3 | 2), bytes(size), content)
    return b"".join(parts)


class SlowWay:
    """Examines every text of a tree, and changes the tree."""

    def __init__(self, policy: RedactionPolicy) -> None:
        self.texts = TextRedactor(policy, SALT)
        self.secret = Names((*policy.attributes, *policy.also))
        self.allowed = Names(policy.allow)
        self.counts: Counter[str] = Counter()
        self.changed: set[int] = set()

    def through(self, nodes: list[Node], message: Message, *, top: bool = True) -> bool:
        names = [n.content for n in nodes if n.number == KEY and message.role is Role.ATTRIBUTE]
        secret = any(name in self.secret for name in names)
        if top and not secret and any(name in self.allowed for name in names):
            return False
        changed = False
        for node in nodes:
            if node.number == 0 or (message.role is Role.ATTRIBUTE and node.number == KEY):
                continue
            if secret:
                different = self.replace(node)
            elif isinstance(node.content, bytes):
                different = self.text(node, binary=node.number == BYTES_VALUE and not node.message)
            else:
                assert node.message is not None
                outside = top and node.message.role is not Role.VALUE
                different = self.through(node.content, node.message, top=outside)
            if different:
                self.changed.add(id(node))
            changed = changed or different
        return changed

    def replace(self, node: Node) -> bool:
        assert node.number == VALUE
        assert isinstance(node.content, list)
        value = written(node.content)
        if not value:
            return False
        plain = len(node.content) == 1 and node.content[0].number == 1
        said = node.content[0].content if plain else value
        assert isinstance(said, bytes)
        node.content = [Node(1, 0, self.texts.replacement("attribute", said))]
        self.counts["attribute"] += 1
        return True

    def text(self, node: Node, *, binary: bool) -> bool:
        assert isinstance(node.content, bytes)
        new = self.texts.redacted(node.content, self.counts, binary=binary)
        if new is None:
            return False
        node.content = new
        return True


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@pytest.mark.parametrize("number", range(len(POLICIES)))
def test_the_fast_way_writes_the_bytes_of_the_slow_one(signal: OtlpSignal, number: int) -> None:
    policy = POLICIES[number]
    redactor = Redactor(policy, salt=SALT)
    for seed in range(60):
        nodes = Writer(seed * 31 + number).message(REQUESTS[signal])
        came = written(nodes)
        slow = SlowWay(policy)
        slow.through(nodes, REQUESTS[signal])
        expected = written(nodes, minimal=frozenset(slow.changed))

        for parsed in (True, False):
            result = redactor.apply(signal, came, parsed=parsed)

            assert (seed, result.counts) == (seed, dict(slow.counts))
            assert result.payload == expected
            assert (result.payload is came) == (not slow.counts)


def plainly(message: Proto, texts: TextRedactor, counts: Counter[str]) -> None:
    """Redact a message of protobuf's own, text by text."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                plainly(inner, texts, counts)
        elif field.type == field.TYPE_STRING and field.full_name not in NOT_SEARCHED:
            new = texts.redacted(value.encode(), counts)
            if new is not None:
                setattr(message, field.name, new.decode())


NOT_SEARCHED = {
    "opentelemetry.proto.common.v1.KeyValue.key",
    "opentelemetry.proto.metrics.v1.Metric.name",
    "opentelemetry.proto.metrics.v1.Metric.unit",
    "opentelemetry.proto.trace.v1.Span.trace_state",
    "opentelemetry.proto.trace.v1.Span.Link.trace_state",
}


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_protobufs_own_reader_sees_what_a_plain_walk_makes(signal: OtlpSignal) -> None:
    policy = RedactionPolicy(attributes=())
    redactor, texts = Redactor(policy), TextRedactor(policy)
    for seed in range(100, 160):
        came = PROTOS[signal].FromString(written(Writer(seed).message(REQUESTS[signal])))
        without_bytes(came)
        payload = came.SerializeToString()
        counts: Counter[str] = Counter()
        plainly(came, texts, counts)

        result = redactor.apply(signal, payload)

        assert (seed, result.counts) == (seed, dict(counts))
        assert PROTOS[signal].FromString(result.payload) == came


def without_bytes(message: Proto) -> None:
    for field, value in message.ListFields():
        if field.name == "bytes_value":
            message.ClearField("bytes_value")
        elif field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                without_bytes(inner)
