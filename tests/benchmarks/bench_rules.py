"""How fast the rules are, beside the plain schema, a dict an item and rules in a loop.

CPU time of this process; ours and the peer's in turns of five calls, medians of rounds: ratios are
what to trust. The payload has 1,000 spans (1.83 MB), 2,400 data points, 1,000 log records.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import RuleSet
from tests.benchmarks import otlp_peers as peers
from tests.benchmarks import otlp_rules as rules
from tests.benchmarks.otlp_payloads import payloads
from tests.benchmarks.rotel_peer import spans_per_second
from tests.benchmarks.rows import Row

ROUNDS = 15
# Calls of one in a row, so that neither is measured in caches that the other filled.
CALLS = 5
PEER = "upb+dict"
_ITEMS = {"traces": 1_000, "metrics": 2_400, "logs": 1_000}
_UNITS = {"traces": "spans/s", "metrics": "points/s", "logs": "records/s"}


def medians(
    functions: Mapping[str, Callable[[], object]], rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the median CPU seconds of each function, run in turns."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            began = time.process_time()
            for _ in range(CALLS):
                function()
            times[name].append((time.process_time() - began) / CALLS)
    return {name: statistics.median(measured) for name, measured in times.items()}


def applied(signal: OtlpSignal, payload: bytes, stated: list[Rule]) -> Callable[[], object]:
    """Return what applies rules to a payload."""
    compiled = RuleSet(stated, version=1, today=rules.TODAY)
    return lambda: compiled.apply(signal, payload)


def run() -> Iterator[Row]:
    """Yield items per second and core for each set of rules."""
    made = payloads()
    spans, points, records = made["traces1000"], made["metrics_dcgm10x8"], made["logs1000"]
    yield from _traces(spans)
    yield from _others("metrics", points)
    yield from _others("logs", records)
    yield _compile_time()
    yield from _beside_rotel(spans)


def _traces(spans: bytes) -> Iterator[Row]:
    sets: dict[str, tuple[list[Rule], tuple[peers.Rule, ...]]] = {
        "traces_10_rules": (rules.TEN, peers.TEN_RULES),
        "traces_3_rules_5_percent": (rules.FIVE_PERCENT, peers.FIVE_PERCENT),
        "traces_no_match": (rules.NO_MATCH, peers.NO_MATCH),
        "traces_10000_rules": (rules.literal_rules(10_000), peers.TEN_RULES),
        "traces_worst_negations": (rules.NEGATIONS, peers.NEGATIONS),
        "traces_worst_all_dropped": (rules.EVERYTHING, peers.EVERYTHING),
    }
    for name, (stated, by_hand) in sets.items():
        ours = applied("traces", spans, stated)
        taken = medians({"ours": ours, "peer": partial(peers.spans_kept, spans, by_hand)})
        yield _row(name, "traces", taken)


def _others(signal: OtlpSignal, payload: bytes) -> Iterator[Row]:
    sets: tuple[tuple[str, list[Rule], Callable[[], object]], ...]
    if signal == "metrics":
        sets = (
            ("rules", rules.METRICS, lambda: peers.metrics_kept(payload, rules.METRIC_NAMES)),
            ("no_match", rules.METRICS_NO_MATCH, lambda: peers.metrics_kept(payload, frozenset())),
        )
    else:
        sets = (
            ("rules", rules.LOGS, lambda: peers.logs_kept(payload)),
            ("no_match", rules.LOGS_NO_MATCH, lambda: peers.logs_kept(payload)),
        )
    for name, stated, peer in sets:
        taken = medians({"ours": applied(signal, payload, stated), "peer": peer})
        yield _row(f"{signal}_{name}", signal, taken)


def _row(metric: str, signal: OtlpSignal, taken: Mapping[str, float]) -> Row:
    rate = {name: round(_ITEMS[signal] / seconds) for name, seconds in taken.items()}
    return Row("rules", metric, _UNITS[signal], rate["ours"], rate["peer"], PEER)


def _compile_time() -> Row:
    stated = rules.literal_rules(10_000)
    began = time.process_time()
    RuleSet(stated, version=1, today=rules.TODAY)
    return Row("rules", "compile_10000_rules", "s", round(time.process_time() - began, 3))


def _beside_rotel(spans: bytes) -> Iterator[Row]:
    """Yield the ten rules beside Rotel: with a Python processor for them, and without any work."""
    ours = medians({"ours": applied("traces", spans, rules.TEN)})["ours"]
    for name, with_rules in (("rotel with a Python processor", True), ("rotel, no rules", False)):
        peer = spans_per_second(spans, _ITEMS["traces"], with_rules=with_rules)
        metric = "traces_10_rules_beside_rotel" + ("" if with_rules else "_idle")
        yield Row(
            "rules", metric, "spans/s", round(_ITEMS["traces"] / ours), round(peer), f"{name}, HTTP"
        )
