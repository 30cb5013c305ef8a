"""The costliest invocation of telemetry_rules that fits 6 MB; prints its peak memory as JSON.

As many items as a batch may have, each with an attribute that every rule asks of; batches as large
unpacked as they may be; texts that redaction has to look at everywhere. All of them are dropped by
rules that no index serves.
"""

import json
import sys
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.engines.otlp.verdicts import PARTS_MAX
from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import RedactionPolicy
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.packing import UNPACKED_MAX
from reflexarc.telemetry.redaction import Redaction
from reflexarc.telemetry.ruleset import RuleSet
from tests.benchmarks import otlp_rules as rules
from tests.support.telemetry import World, batch, delivered

INVOCATION_BYTES = 6 * 1024 * 1024


def _logs(number: int, text: str) -> bytes:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for _ in range(number):
        record = records.add()
        record.body.string_value = text
        record.attributes.add(key="tenant").value.string_value = "umbrella"
    return request.SerializeToString()


def _spans(number: int, text: str) -> bytes:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for at in range(number):
        span = spans.add(trace_id=at.to_bytes(16, "big"), span_id=at.to_bytes(8, "big"))
        span.trace_id, span.span_id = b"t" + at.to_bytes(15, "big"), b"s" + at.to_bytes(7, "big")
        span.attributes.add(key="gen_ai.prompt.0.content").value.string_value = text
    return request.SerializeToString()


def bodies() -> list[str]:
    """Return the messages of one invocation, each within what a message may have."""
    small = "a@b.example 4111 1111 1111 1111 "
    long = small * (UNPACKED_MAX // 20 // len(small) - 100)
    contents: list[tuple[OtlpSignal, bytes]] = [
        ("logs", _logs(PARTS_MAX, "x")),
        ("logs", _logs(PARTS_MAX // 2, small)),
        ("traces", _spans(PARTS_MAX, "x")),
        ("traces", _spans(20, long)),
    ]
    made = [delivered(batch(content, signal)).body for signal, content in contents]
    kept: list[str] = []
    while sum(map(len, kept)) + max(map(len, made)) <= INVOCATION_BYTES:
        kept.append(made[len(kept) % len(made)])
    return kept


def main() -> None:
    """Take the invocation on stdin; print the most memory that the process took."""
    stated = [
        rules.rule("spans", "traces", 'attributes["gen_ai.prompt.0.content"] != "zz"'),
        rules.rule("logs", "logs", 'attributes["tenant"] != "zz"'),
    ]
    compiled = RuleSet(stated, version=1, today=rules.TODAY)
    world = World(
        forwarding={"backends": [{"name": "b", "endpoint": "https://b.example"}]},
        rules=compiled,
        redactor=Redaction(Redactor(RedactionPolicy()), compiled),
        archive=_Nowhere(),
    )
    deliveries = [delivered(json.loads(line)) for line in sys.stdin]
    outcomes = world.react(*deliveries)
    peak = _peak_mb()
    statuses = sorted({outcome.status for outcome in outcomes})
    sys.stdout.write(json.dumps({"peak_mb": round(peak, 1), "statuses": statuses}))


def _peak_mb() -> float:
    """Return the most that was resident; getrusage would tell of whoever started the process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (each for each in status.splitlines() if each.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


class _Nowhere:
    """An archive that keeps nothing: in Lambda the bytes go to S3."""

    def keep(self, key: str, body: bytes, facts: object) -> None:
        """Forget a batch."""
