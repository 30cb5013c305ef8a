"""What is no export request is rejected, and nothing else ever happens to it."""

import random
from contextlib import suppress

import pytest

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.gpu.reads import READS
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.plan.items import SMALL
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import SIGNALS, RuleSet
from tests.support.otlp_items import ItemWriter
from tests.support.otlp_requests import nested
from tests.support.rule_sets import compiled
from tests.support.rule_writing import rule

REDACTS = {"attributes": ["tenant"]}
MERGES = {"keep": ["tenant"], "function": "sum"}
# Between them they read whatever can be read.
RULES: dict[OtlpSignal, list[Rule]] = {
    "traces": [
        rule("cuts", spanevent='attributes["tenant"] != "umbrella" and resource.schema_url == ""'),
        rule("samples", "sample", percent=50, span='attributes["x"] == 5 or kind == 2'),
        rule("takes", span='IsMatch(name, "health") and end_time_unix_nano > start_time_unix_nano'),
        rule("shared", span='resource.attributes["tenant"] == "umbrella" and scope.name == "a"'),
        rule("redacts", "redact", redact=REDACTS, span='attributes["tenant"] != nil'),
        rule("whole", span="links != nil and Len(events) > 5"),
    ],
    "metrics": [
        rule("takes", metric='IsMatch(name, "health") or unit == "a"'),
        rule("points", datapoint='attributes["tenant"] == "umbrella" or start_time_unix_nano == 0'),
        rule("merges", "aggregate", aggregate=MERGES, metric="true"),
        rule("shared", metric='resource.attributes["tenant"] == "umbrella"', priority=1),
        rule("redacts", "redact", redact=REDACTS, datapoint='attributes["tenant"] != nil'),
    ],
    "logs": [
        rule("samples", "sample", percent=50, log_record='attributes["x"] == 5'),
        rule("takes", log_record='IsMatch(body, "health") or severity_number < 9'),
        rule("shared", log_record='scope.version == "1.0" and trace_id.string != ""'),
        rule("redacts", "redact", redact=REDACTS, log_record='attributes["tenant"] != nil'),
    ],
}


def every(signal: OtlpSignal) -> list[RuleSet]:
    return [compiled(RULES[signal], READS, small=small) for small in (SMALL, 0)]


def survives(rules: RuleSet, signal: OtlpSignal, payload: bytes) -> bool:
    """Tell whether this is a request; it is judged, or rejected, redacted before or not."""
    with suppress(Rejected):
        rules.apply(signal, rules.redact(signal, payload)[0])
    try:
        account = rules.apply(signal, payload).account
    except Rejected:
        return False
    assert account.received == account.kept + account.removed
    return True


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_request_that_is_cut_off_anywhere_is_rejected_or_judged(signal: OtlpSignal) -> None:
    payload = next(
        made
        for seed in range(100)
        for made in [ItemWriter(seed, odd=0, texts=("a", "healthz")).request(signal, items=4)]
        if 700 < len(made) < 2_000
    )
    for rules in every(signal):
        whole = [survives(rules, signal, payload[:end]) for end in range(len(payload))]

        # A request that ends behind a resource is whole.
        assert 0 < sum(whole) < 10
        assert survives(rules, signal, payload)


@pytest.mark.parametrize("signal", SIGNALS)
def test_random_bytes_are_rejected_or_judged(signal: OtlpSignal) -> None:
    rng = random.Random(f"bytes of {signal}")
    for rules in every(signal):
        for _ in range(600):
            payload = rng.randbytes(rng.randint(0, 40))
            if rng.random() < 0.5:
                payload = nested(payload, *(1, 2, 2)[: rng.randint(1, 3)])
            survives(rules, signal, payload)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("odd", [0, 0.3])
def test_a_request_with_any_byte_changed_is_rejected_or_judged(
    signal: OtlpSignal, odd: float
) -> None:
    rng = random.Random(f"changes of {signal}")
    judged = 0
    for rules in every(signal):
        for seed in range(25):
            payload = bytearray(ItemWriter(seed, odd=odd).request(signal, items=3))[:5_000]
            for _ in range(12 if payload else 0):
                changed = payload.copy()
                for _ in range(rng.randint(1, 3)):
                    changed[rng.randrange(len(changed))] = rng.choice((0, 0xFF, rng.randrange(256)))
                judged += survives(rules, signal, bytes(changed))

    assert judged > 50


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("rules", [(), "some"])
def test_a_request_that_is_none_is_rejected_with_its_signal(
    signal: OtlpSignal, rules: object
) -> None:
    judging = compiled(RULES[signal] if rules else ())

    for payload in (b"\x0a", nested(b"\x12\x05a", 1), b"\x08" + b"\xff" * 11):
        with pytest.raises(Rejected, match=f"^the {signal} cannot be read: "):
            judging.apply(signal, payload)


def test_a_resource_that_cannot_be_decoded_is_rejected_where_a_rule_reads_it() -> None:
    broken = nested(nested(b"\x2a\x01a", 2, 2) + nested(b"\x0a\x02\x0a\x09", 1), 1)
    reads_it = rule("r", span='resource.attributes["a"] == "b"')

    with pytest.raises(Rejected, match="the traces cannot be read"):
        compiled([reads_it]).apply("traces", broken)
    assert compiled([rule("r", span='name == "b"')]).apply("traces", broken).payload is broken
