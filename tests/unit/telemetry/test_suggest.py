"""What is expensive and unread is found, and the rules against it are ready."""

import random
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from reflexarc.events.reads import Read
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.checking import examine
from reflexarc.telemetry.preview import previewing
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.short_form import NOON as NOON_NS
from reflexarc.telemetry.short_form import ShortLog, ShortMetric, ShortPoint, ShortSpan
from reflexarc.telemetry.suggest import LASTS, Suggesting
from reflexarc.telemetry.suggesting import attributes, logs, metrics, seen, spans
from reflexarc.telemetry.suggesting.distinct import EXACT, Distinct
from reflexarc.telemetry.suggesting.wording import beginning_of, escaped, quoted, slug, template_of
from tests.support.rule_writing import TODAY, batch, span

MINUTE_NS = 60_000_000_000


def looked(*batches: Batch) -> Suggesting:
    found = Suggesting()
    for each in batches:
        found.take(each)
    return found


def suggested(*batches: Batch, **more: Any) -> list[Mapping[str, Any]]:
    return looked(*batches).rules(READS, TODAY, **more)


def findings(*batches: Batch) -> list[str]:
    return [finding.what for finding in looked(*batches).findings()]


def removed(rules: Iterable[Mapping[str, Any]], *batches: Batch) -> dict[str, int]:
    """Return how many items each rule takes, by the code that judges in the stack."""
    found = previewing([Rule.model_validate(each) for each in rules], READS, TODAY)
    for each in batches:
        found.take(each)
    return {each.rule.name: each.removed for each in found.forecasts()}


def spans_of(number: int, name: str = "work", **more: Any) -> list[ShortSpan]:
    rng = random.Random(name)
    return [
        span(name, span_id=rng.randbytes(8).hex(), trace_id=rng.randbytes(16).hex(), **more)
        for _ in range(number)
    ]


def test_what_nobody_needs_to_do_without_is_not_suggested() -> None:
    busy = [
        span(f"n{number}", duration="50ms", span_id=f"{number + 1:016x}") for number in range(40)
    ]
    quiet = [ShortLog(body=f"{'xyz' * number} happened", severity="INFO") for number in range(40)]

    assert suggested(batch(*busy), batch(*quiet)) == []
    assert suggested() == []
    assert findings() == []


def test_a_rule_is_ready_to_be_pushed_in_shadow() -> None:
    (rule,) = suggested(batch(ShortLog(severity="DEBUG")), owner="me@example.com")

    assert rule["name"] == "debug-logs"
    assert (rule["owner"], rule["shadow"]) == ("me@example.com", True)
    assert rule["expires"] == (TODAY + LASTS).isoformat()
    assert examine({"rules": [rule]}, READS, TODAY) == ()


def test_names_are_others_than_those_that_are_there() -> None:
    (rule,) = suggested(batch(ShortLog(severity="DEBUG")), taken=["debug-logs", "debug-logs-2"])

    assert rule["name"] == "debug-logs-3"


# Probes


def test_probes_are_found_by_who_asks_and_by_what_they_ask() -> None:
    requests = batch(
        *spans_of(3, "GET", attributes={"url.path": "/healthz"}, duration="9ms"),
        *spans_of(3, "HEAD", attributes={"http.target": "/shop/api/ready"}, duration="9ms"),
        *spans_of(
            2, "GET /", attributes={"user_agent.original": "ELB-HealthChecker/2.0"}, duration="9ms"
        ),
        *spans_of(9, "GET /cart", attributes={"url.path": "/health-insurance"}, duration="9ms"),
    )
    lines = batch(
        ShortLog(body='10.0.0.1 "GET / HTTP/1.1" 200 "kube-probe/1.31"', severity="INFO"),
        ShortLog(attributes={"http.route": "/livez"}),
        ShortLog(attributes={"http.user_agent": "GoogleHC/1.0"}),
    )

    (rule,) = suggested(requests, lines)

    assert rule["filter"] == {
        "traces": {
            "span": [
                'IsMatch(attributes["user_agent.original"], "^ELB-HealthChecker/")',
                'attributes["http.target"] == "/shop/api/ready"',
                'attributes["url.path"] == "/healthz"',
            ]
        },
        "logs": {
            "log_record": [
                'IsMatch(body, "kube-probe/")',
                'IsMatch(attributes["http.user_agent"], "^GoogleHC/")',
                'attributes["http.route"] == "/livez"',
            ]
        },
    }
    assert removed([rule], requests) == {"health-checks": 8}
    assert removed([rule], lines) == {"health-checks": 3}


# Spans


def test_short_leaves_in_great_number_are_sampled() -> None:
    requests = batch(*spans_of(50, 'redis "GET"', kind="client"), *spans_of(50, "b", duration="1s"))

    (rule,) = suggested(requests)

    assert (rule["name"], rule["action"], rule["percent"]) == ("short-redis-get", "sample", 10)
    assert rule["filter"]["traces"]["span"] == [
        'name == "redis \\"GET\\"" and kind == SPAN_KIND_CLIENT'
    ]
    assert 30 < removed([rule], requests)["short-redis-get"] <= 50


@pytest.mark.parametrize(
    "others",
    [
        # Slow, rare, or parents of others.
        spans_of(50, "a", duration="3ms"),
        spans_of(2, "a"),
        [span("a", span_id="0" * 15 + "1"), *spans_of(9, "b", parent_span_id="0" * 15 + "1")][:1],
    ],
)
def test_spans_that_tell_something_are_not_sampled(others: list[ShortSpan]) -> None:
    slow = spans_of(100, "b", duration="1s")

    assert suggested(batch(*others, *slow)) == []


def test_spans_with_children_are_not_sampled() -> None:
    pairs = [
        each
        for number in range(50)
        for each in (
            span("parent", trace_id=f"{number + 1:032x}", span_id=f"{number + 1:016x}"),
            span(
                "child", trace_id=f"{number + 1:032x}", span_id=f"{number + 99:016x}",
                parent_span_id=f"{number + 1:016x}", duration="9ms",
            ),
        )
    ]  # fmt: skip

    assert suggested(batch(*pairs)) == []


def test_spans_that_came_twice_are_a_finding() -> None:
    request = batch(*spans_of(4, duration="1s"))

    assert findings(request, request)[0] == "4 of 8 spans came twice, with the same ids"


def test_names_without_end_are_looked_at_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "NAMES_MAX", 2)
    monkeypatch.setattr(spans, "SPANS_MAX", 4)
    many = [span(f"n{number}", span_id=f"{number + 1:016x}") for number in range(8)]

    assert [rule["name"] for rule in suggested(batch(*many))] == ["short-n0", "short-n1"]


# Logs


def test_lines_of_one_kind_are_sampled_but_for_warnings() -> None:
    lines = [
        ShortLog(body=f'the order {number} placed by "x{number}" (a.b)', severity="INFO")
        for number in range(20)
    ]
    warnings = [ShortLog(body=f"the order {number} lost", severity="WARN") for number in range(20)]
    same = [ShortLog(body="cache is warm.", attributes={"n": n}) for n in range(20)]
    rare = [ShortLog(body="started on port 80")]
    request = batch(*lines, *warnings, *same, *rare)

    found = suggested(request)

    assert {rule["name"]: rule["filter"]["logs"]["log_record"] for rule in found} == {
        "lines-the-order": [
            'IsMatch(body, "^the order ") and severity_number < SEVERITY_NUMBER_WARN'
        ],
        "lines-cache-is-warm": [
            'body == "cache is warm." and severity_number < SEVERITY_NUMBER_WARN'
        ],
    }
    assert all(10 <= number <= 20 for number in removed(found, request).values())


def test_lines_that_came_twice_are_a_finding() -> None:
    request = batch(ShortLog(body={"a": 1}), ShortLog(body={"a": 2}))

    assert findings(request, request)[0] == "2 of 4 log records came twice, byte for byte"


def test_kinds_without_end_are_looked_at_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "TEMPLATES_MAX", 1)
    monkeypatch.setattr(logs, "STRIDE", 2)
    monkeypatch.setattr(seen, "STRIDE", 2)
    monkeypatch.setattr(seen, "_ALL_UP_TO", 2)
    lines = [ShortLog(body=f"{letter * 9} happened", severity="INFO") for letter in "abcdefgh"]

    assert [rule["name"] for rule in suggested(batch(*lines))] == ["lines-aaaaaaaaa-happened"]


@pytest.mark.parametrize(
    ("line", "template"),
    [
        ("user 17 logged in", "user <*> logged in"),
        ("took 1.5ms for /a/7", "took <*>ms for /a/<*>"),
        ("id 0af7651916cd43dd8448eb211c80319c", "id <*>"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <*>"),
        ('"a b" said ada@example.com at 0xff', "<*> said <*> at <*>"),
        ("utf8 and base64 stay", "utf8 and base64 stay"),
        ("first line 1\nsecond line", "first line <*>"),
    ],
)
def test_what_differs_from_line_to_line_becomes_a_hole(line: str, template: str) -> None:
    assert template_of(line) == template


# Metrics


def metric(name: str, points: list[ShortPoint], **more: Any) -> ShortMetric:
    return ShortMetric(name=name, points=tuple(points), **more)


def later(made: Batch, minutes: int) -> Batch:
    """Return a batch some minutes later."""
    old, new = (NOON_NS + each * MINUTE_NS for each in (0, minutes))
    payload = made.payload.replace(old.to_bytes(8, "little"), new.to_bytes(8, "little"))
    return Batch(signal=made.signal, payload=payload, where=made.where)


def over_time(number: int, **values: Any) -> list[Batch]:
    """Return batches minute by minute of gauges, each with a value or one a minute."""
    return [
        later(
            batch(
                *(
                    metric(
                        name, [ShortPoint(value=each[minute] if isinstance(each, list) else each)]
                    )
                    for name, each in values.items()
                )
            ),
            minute,
        )
        for minute in range(number)
    ]


def test_values_that_never_change_are_dropped() -> None:
    came = over_time(4, cores=8, load=[1, 2, 2, 2], limit=1.5)

    (rule,) = suggested(*came)

    assert rule["filter"]["metrics"]["metric"] == ['name == "cores"', 'name == "limit"']
    assert removed([rule], *came) == {"constant-metrics": 8}
    assert "these 2 metrics" in rule["reason"]


@pytest.mark.parametrize(
    "name", ["up", "target_info", "http_errors_total", "queue.failed", "gpu.health.state"]
)
def test_values_that_tell_by_standing_still_stay(name: str) -> None:
    assert suggested(*over_time(4, **{name: 1})) == []


def test_what_was_seen_twice_may_still_change() -> None:
    assert suggested(*over_time(2, cores=8)) == []


def test_metrics_that_somebody_reads_are_not_suggested() -> None:
    assert suggested(*over_time(4, DCGM_FI_DEV_GPU_TEMP=60)) == []


def counters(kind: str, pods: int, **more: Any) -> list[Batch]:
    made = []
    for minute in range(4):
        counts = [minute * 7 + pod for pod in range(pods)]
        points = [
            ShortPoint(
                attributes={"pod": f"p{pod}", "route": "/a"},
                **({"value": each} if kind in {"sum", "gauge"} else {"count": each, "sum": 1.0}),
            )
            for pod, each in enumerate(counts)
        ]
        made.append(later(batch(metric("requests", points, type=kind, **more)), minute))
    return made


@pytest.mark.parametrize("kind", ["sum", "histogram"])
def test_an_attribute_that_splits_deltas_is_merged_away(kind: str) -> None:
    came = counters(kind, 5)

    (rule,) = suggested(*came)

    assert rule["aggregate"] == {"remove": ["pod"], "interval_s": 60}
    assert rule["reason"] == "pod has 5 values in 20 points"
    assert removed([rule], *came) == {"requests-without-pod": 20}


@pytest.mark.parametrize("more", [{"temporality": "cumulative"}, {"type": "gauge"}])
def test_what_cannot_be_merged_is_a_finding_where_it_has_many_values(more: dict[str, Any]) -> None:
    came = counters(more.pop("type", "sum"), 120, **more)

    assert suggested(*came) == []
    assert findings(*came) == ["requests is cumulative or a gauge, and pod has 120 values"]


def test_points_that_came_twice_are_a_finding() -> None:
    request = batch(metric("m", [ShortPoint(value=1)]))

    assert findings(request, request) == ["1 of 2 data points came twice, with the same time"]


def test_metrics_without_end_are_looked_at_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "NAMES_MAX", 1)
    monkeypatch.setattr(metrics, "SERIES_MAX", 1)
    came = over_time(4, a=1, b=1)
    two_series = later(
        batch(metric("a", [ShortPoint(value=2, attributes={"x": str(n)}) for n in range(3)])), 9
    )

    (rule,) = suggested(*came)

    assert rule["filter"]["metrics"]["metric"] == ['name == "a"']
    assert "this metric" in rule["reason"]
    assert suggested(*came, two_series) == []


def test_a_metric_without_data_is_passed_over() -> None:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    nothing = Batch(signal="metrics", payload=request.SerializeToString(), where="here")

    assert suggested(nothing, batch(ShortMetric(name="m", points=()))) == []


# Attributes


def test_attributes_that_weigh_much_are_findings() -> None:
    rng = random.Random(3)
    came = batch(
        *(
            span(
                f"n{number}",
                duration="1s",
                span_id=f"{number + 1:016x}",
                attributes={
                    "region": "eu-central-1",
                    "flag": True,
                    "body": rng.randbytes(60).hex(),
                    "gen_ai.prompt.0.content": "tell me " * 20,
                    "id": number,
                },
            )
            for number in range(10)
        )
    )

    told = findings(came)

    assert any(each.startswith("gen_ai.prompt.0.content is ") for each in told)
    assert any(each.startswith("body is ") and each.endswith("with 10 values") for each in told)
    assert "region has one value ('eu-central-1') on 10 spans" in told
    assert "flag has one value on 10 spans" in told
    assert not any(each.startswith("id ") for each in told)


def test_what_redaction_made_alike_is_no_finding() -> None:
    same = {"user.email": "[redacted:email] and a good deal more of it"}

    told = findings(batch(span("a", attributes=same), span("b", attributes=same)))

    assert not any("one value" in each for each in told)


def test_few_findings_of_attributes_are_told() -> None:
    keys = {f"key{number}": "the same value everywhere" for number in range(9)}

    assert len(findings(batch(span("a", attributes=keys), span("b", attributes=keys)))) == 6


def test_keys_without_end_are_looked_at_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "KEYS_MAX", 1)
    keys = {"first": "the same value", "second": "the same value"}

    told = findings(batch(*spans_of(3, attributes=keys, duration="1s")))

    assert told == ["first is 24 % of the bytes of spans, with 1 values"]


def test_large_batches_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_ALL_UP_TO", 1)
    came = batch(*spans_of(40, attributes={"url.path": "/healthz"}))

    assert suggested(came)[0]["name"] == "health-checks"


# Parts


def test_few_things_are_counted_exactly_and_many_nearly() -> None:
    few, many = Distinct(), Distinct()
    for number in range(EXACT):
        few.add(hash(("few", number)))
        few.add(hash(("few", number)))
    for number in range(50_000):
        many.add(hash(("many", number)))

    assert few.count() == EXACT
    assert abs(many.count() - 50_000) < 4_000


def test_a_name_is_made_of_what_names_may_have() -> None:
    assert slug("GET /cart/{id} Ünder", ()) == "get-cart-id-nder"
    assert slug("/", ()) == "unnamed"
    assert slug("a", ["a", "a-2"]) == "a-3"
    assert len(slug("x" * 200, ())) < 63


def test_texts_are_written_as_ottl_and_re2_read_them() -> None:
    assert quoted('a"b\\c\nd') == '"a\\"b\\\\c\\nd"'
    assert escaped("a.b(c)|d") == "a\\.b\\(c\\)\\|d"
    assert beginning_of("order <*> placed") == "order "


def test_what_somebody_reads_is_held_against_every_rule() -> None:
    reads = (
        Read(who="auditors", signal="logs", conditions=(), witnesses=({"severity_number": 5},)),
    )

    assert looked(batch(ShortLog(severity="DEBUG"))).rules(reads, TODAY) == []


def test_suggestions_last_ninety_days() -> None:
    assert timedelta(days=90) == LASTS
