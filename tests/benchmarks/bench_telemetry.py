"""One message on its whole way through telemetry_rules, beside the usual code for it.

Ours is the service as the handler calls it, on ports in memory: envelope and base64, unzstd, rules
and guards, what the archive and one backend get, the account; with redaction by every default
detector, and without. The peer does less: gunzip, the plain schema with a dict a span and the same
rules, gzip -6. CPU time of this process, in turns of five calls, medians; memory is of a process of
its own; dollars are AWS's list prices for what was measured and counted. At the end the whole lane,
in the emulator (`lane_telemetry.py`).
"""

import gzip
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import Detectors, RedactionPolicy
from reflexarc.telemetry.redaction import Redaction
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import RuleSet
from tests.benchmarks import aws_prices as price
from tests.benchmarks import lane_telemetry
from tests.benchmarks import otlp_peers as peers
from tests.benchmarks import otlp_rules as rules
from tests.benchmarks.bench_rules import medians
from tests.benchmarks.otlp_payloads import payloads
from tests.benchmarks.rows import Row
from tests.benchmarks.worst_telemetry import bodies
from tests.support.telemetry import World, batch, delivered

PEER = "gunzip + upb dict + gzip -6"
SPANS = 1_000
ROUNDS = 9
ROOT = Path(__file__).parents[2]
ONE_BACKEND = {"backends": [{"name": "b", "endpoint": "https://b.example", "compression": "zstd"}]}
# SQS: sent, received and deleted; each 64 KB counts (338 KB of zstd in base64 are eight of them).
_HANDLED_ONCE = 2


def run() -> Iterator[Row]:
    """Yield milliseconds of CPU for a message of 1,000 spans, memory, dollars; the lane."""
    spans = payloads()["traces1000"]
    paths = {
        "message_10_rules": (rules.TEN, peers.TEN_RULES),
        "message_no_match": (rules.NO_MATCH, peers.NO_MATCH),
    }
    packed = gzip.compress(spans, 6)
    for name, (stated, by_hand) in paths.items():

        def peer(by: tuple[peers.Rule, ...] = by_hand) -> bytes:
            return gzip.compress(peers.spans_kept(gzip.decompress(packed), by)[0], 6)

        taken = medians(
            {
                "ours": _message(spans, stated, redacting=False),
                "redacting": _message(spans, stated, redacting=True),
                "peer": peer,
            },
            ROUNDS,
        )
        ms = {who: round(seconds * 1e3, 2) for who, seconds in taken.items()}
        yield Row("telemetry", name, "ms CPU", ms["ours"], ms["peer"], PEER)
        yield Row("telemetry", f"{name}_redacted", "ms CPU", ms["redacting"], ms["peer"], PEER)
        if name == "message_10_rules":
            yield _dollars(taken["redacting"], spans)
    yield Row("telemetry", "worst_case_6_mb_peak", "MB", _peak_memory())
    yield from lane_telemetry.run()


def _message(spans: bytes, stated: list[Rule], *, redacting: bool) -> Callable[[], object]:
    """Return what takes one message, of an id of its own each time, through the service."""
    compiled = RuleSet(stated, version=1, today=rules.TODAY)
    detectors = Detectors(email=redacting, card=redacting, keys=redacting, phone=redacting)
    policy = RedactionPolicy(detectors=detectors)
    if not redacting:
        policy = policy.model_copy(update={"attributes": ()})
    world = World(
        forwarding=ONE_BACKEND, rules=compiled, redactor=Redaction(Redactor(policy), compiled)
    )
    messages = itertools.cycle([delivered(batch(spans), relayed=True) for _ in range(400)])

    def take() -> object:
        world.archive.kept.clear()
        world.backends.posts.clear()
        (outcome,) = world.react(next(messages))
        return outcome

    return take


def _dollars(cpu_s: float, spans: bytes) -> Row:
    """Return dollars for a million spans: Lambda's share of CPU, the queue, the archive's put."""
    body = len(delivered(batch(spans)).body)
    chunks = -(-body // price.SQS_CHUNK)
    # CPU comes with memory: what runs shorter for more of it costs the same.
    gb_s = cpu_s * price.VCPU_MB / 1024
    message = (
        gb_s * price.LAMBDA_GB_S
        + price.LAMBDA_REQUEST / price.RECEIVED_AT_ONCE
        + _HANDLED_ONCE * chunks * price.SQS
        + price.S3_PUT
        + 2 * 2 * price.WRITE_UNIT
    )
    return Row("telemetry", "dollars_per_million_spans", "$", round(message * 1e6 / SPANS, 5))


def _peak_memory() -> float:
    """Return the most memory that a process takes for an invocation of the worst content."""
    program = "from tests.benchmarks.worst_telemetry import main; main()"
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program],
        input="\n".join(json.dumps(body) for body in bodies()),
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(done.stdout)["peak_mb"])
