"""What rules would do to telemetry that was recorded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import RedactionPolicy
from reflexarc.events.reads import Read
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.backends import Backend
from reflexarc.telemetry.orphans import Families
from reflexarc.telemetry.preview import Forecast, Preview, previewing
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import RuleSet
from reflexarc.telemetry.short_form import NOON as NOON_NS
from reflexarc.telemetry.short_form import ShortEvent, ShortLog, ShortMetric, ShortPoint
from reflexarc.telemetry.short_text import LONGEST, in_short
from reflexarc.telemetry.times import times_of
from reflexarc.telemetry.worth import Worth, prices
from tests.support.rule_writing import NOON, TODAY, batch, rule, span

MOMENT = datetime.fromtimestamp(NOON_NS / 1e9, UTC)


NO_DETECTORS = {"detectors": dict.fromkeys(("email", "card", "keys", "phone"), False)}


def looked(*batches: Batch, rules: list[Rule], **more: Any) -> Preview:
    found = previewing(rules, more.pop("reads", ()), TODAY, **more)
    for each in batches:
        found.take(each)
    return found


def of(found: Preview, name: str) -> Forecast:
    (forecast,) = (each for each in found.forecasts() if each.rule.name == name)
    return forecast


def test_it_counts_what_the_rules_would_take() -> None:
    found = looked(
        batch(span("a"), span("b"), span("a", status="error")),
        batch(span("a")),
        rules=[rule("r", span='name == "a"'), rule("idle", span='name == "c"')],
    )

    forecast = of(found, "r")
    assert (forecast.matched, forecast.removed, forecast.guarded) == (3, 2, 1)
    assert forecast.size == found.volumes["traces"].removed_size > 0
    assert (found.volumes["traces"].received, found.volumes["traces"].batches) == (4, 2)
    assert found.guards == {"errors": 1}
    assert [each.name for each in found.idle()] == ["idle"]


def test_rules_in_shadow_are_judged_as_if_they_were_live() -> None:
    found = looked(batch(span("a")), rules=[rule("r", span='name == "a"', shadow=True)])

    assert of(found, "r").removed == 1
    assert of(found, "r").rule.shadow


def test_what_it_counts_is_what_the_rules_do() -> None:
    rules = [rule("r", "sample", span="true", percent=30), rule("l", log_record='body == "x"')]
    spans = [
        batch(*(span("a", trace_id=f"{number * 7919 % 997:032x}") for number in range(50)))
        for _ in range(3)
    ]
    logs = batch(ShortLog(body="x"), ShortLog(body="y"))

    found = looked(*spans, logs, rules=rules)

    compiled = RuleSet(rules, version=0, today=TODAY)
    accounts = [compiled.apply(each.signal, each.payload).account for each in (*spans, logs)]
    for name, signal in (("r", "traces"), ("l", "logs")):
        counts = [
            each
            for account in accounts
            if account.signal == signal
            for each in account.rules
            if each.rule == name
        ]
        assert of(found, name).removed == sum(each.removed for each in counts)
        assert of(found, name).size == sum(each.size for each in counts)


def test_forecasts_stand_in_the_order_in_which_rules_are_asked() -> None:
    rules = [
        rule("late", span="true", log_record="true", priority=9),
        rule("early", log_record='body == "x"', priority=1),
    ]

    found = looked(batch(ShortLog(body="x")), batch(ShortLog()), batch(span()), rules=rules)

    assert [(each.rule.name, each.signal) for each in found.forecasts()] == [
        ("early", "logs"), ("late", "traces"), ("late", "logs"),
    ]  # fmt: skip


def points(*values: int) -> ShortMetric:
    made = tuple(ShortPoint(value=each, attributes={"pod": str(each) * 40}) for each in values)
    return ShortMetric(name="m", type="sum", points=made)


def test_what_is_written_in_place_of_merged_points_is_not_saved() -> None:
    merges = rule("merges", "aggregate", metric="true", aggregate={"remove": ["pod"]})

    request = batch(points(1, 2, 3))
    found = looked(request, rules=[merges])

    kept = RuleSet([merges], version=0, today=TODAY).apply("metrics", request.payload)
    forecast = of(found, "merges")
    assert (forecast.removed, forecast.emitted) == (3, 1)
    # Lengths that are written shorter save a byte or two more.
    assert 0 <= len(request.payload) - len(kept.payload) - forecast.size <= 8
    assert found.volumes["metrics"].removed_size == forecast.size
    assert forecast.examples == [in_short("metrics", points(1, 2, 3).message())]


def test_what_cannot_be_merged_is_said() -> None:
    cumulative = points(1, 2).model_copy(update={"temporality": "cumulative"})
    merges = rule("merges", "aggregate", metric="true", aggregate={"remove": ["pod"]})

    found = looked(batch(cumulative), rules=[merges])

    assert of(found, "merges").removed == 0
    assert list(found.refusals.values()) == [2]


def test_events_that_are_cut_are_counted() -> None:
    item = span("a", events=(ShortEvent(name="x"), ShortEvent(name="y")))

    assert of(looked(batch(item), rules=[rule("r", spanevent='name == "x"')]), "r").events == 1


def test_each_rule_shows_a_few_different_examples() -> None:
    spans = [span("a", attributes={"n": number // 2}) for number in range(12)]
    rules = [rule("r", span='name == "a"'), rule("other", span='name == "b"')]

    found = looked(batch(*spans), batch(span("b")), batch(*spans), rules=rules, examples=2)
    none = looked(batch(*spans), rules=rules, examples=0)

    assert of(found, "r").examples == ["a 1 ms n=0", "a 1 ms n=1"]
    assert of(found, "other").examples == ["b 1 ms"]
    assert of(none, "r").examples == []


def test_examples_are_redacted_and_so_are_the_items_that_rules_see() -> None:
    rules = [
        rule("r", log_record='IsMatch(body, "redacted")'),
        rule("hides", "redact", log_record="true", redact={"attributes": ["cart"]} | NO_DETECTORS),
    ]
    record = ShortLog(body="mail of ada@example.com", attributes={"cart": "4711"})
    redact = Redactor(RedactionPolicy()).apply

    found = looked(batch(record), rules=rules, redact=redact)
    archived = looked(batch(record), rules=rules)

    assert of(found, "r").examples == [
        '"mail of [redacted:email]" cart="[redacted:attribute]"',
    ]
    assert found.redacted == {"email": 1, "attribute": 1}
    assert archived.redacted == {"attribute": 1}
    assert archived.idle() == [rules[0]]


def test_what_is_invalid_is_counted_and_left_out() -> None:
    request = batch(span("a"), span("a", trace_id="0" * 32))

    found = looked(request, rules=[], redact=Redactor(RedactionPolicy()).apply)

    assert (found.volumes["traces"].received, found.volumes["traces"].invalid) == (1, 1)


def test_what_is_no_request_is_refused_with_its_place() -> None:
    broken = Batch(signal="traces", payload=b"\x0a\x05", where="file:7")

    with pytest.raises(Rejected, match=r"^file:7: "):
        looked(broken, rules=[rule("r", span="true")])


def test_reads_of_others_are_kept_here_too() -> None:
    reads = (Read(who="somebody", signal="traces", conditions=('name == "a"',)),)

    found = looked(batch(span("a")), rules=[rule("r", span="true")], reads=reads)

    assert (of(found, "r").removed, found.guards) == (0, {"somebody": 1})


# Families


def child(name: str, own: int, parent: int = 0, trace: int = 1) -> Any:
    return span(
        name,
        span_id=f"{own:016x}",
        parent_span_id=f"{parent:016x}" if parent else None,
        trace_id=f"{trace:032x}",
    )


def test_spans_that_lose_their_parent_are_told_by_who_took_it() -> None:
    rules = [rule("first", span='name == "p"'), rule("second", span='name == "q"')]

    found = looked(
        batch(child("p", 1), child("kept", 2, 1), child("kept", 3, 1), child("q", 4, 1)),
        # A trace comes in many requests, children before their parents.
        batch(child("kept", 6, 5, trace=2), child("kept", 8, 1, trace=2)),
        batch(child("q", 5, trace=2), child("kept", 9, 7)),
        rules=rules,
    )

    assert of(found, "first").orphans == 2
    assert of(found, "second").orphans == 1


def test_whole_traces_leave_no_orphans() -> None:
    found = looked(batch(child("p", 1), child("p", 2, 1)), rules=[rule("r", span="true")])

    assert of(found, "r").orphans == 0
    assert Families().orphans() == {}


# Times and prices


def test_the_time_that_was_looked_at_is_that_of_the_items() -> None:
    spans = batch(span("a", duration="2s"))
    logs = batch(ShortLog(), ShortLog(), ShortLog())

    assert looked(spans, rules=[]).window == timedelta(seconds=2)
    assert looked(logs, rules=[]).window is None
    assert looked(rules=[]).window is None


def test_the_time_of_an_archive_is_its_hours() -> None:
    found = looked(
        batch(span("a"), at=NOON), batch(span("a"), at=NOON + timedelta(hours=2)), rules=[]
    )

    assert found.window == timedelta(hours=3)


def test_times_that_are_none_are_passed_over() -> None:
    assert list(times_of(batch(points(1)))) == [MOMENT]
    assert list(times_of(batch(ShortMetric(name="m", points=())))) == []
    assert list(times_of(Batch(signal="traces", payload=b"", where=""))) == []
    assert list(times_of(batch(ShortLog()))) == [MOMENT]
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(severity_number=9)
    timeless = Batch(signal="logs", payload=request.SerializeToString(), where="")
    assert list(times_of(timeless)) == []


def backend(name: str, price: str | None, *signals: str) -> Backend:
    document = {"name": name, "endpoint": "https://otlp.example", "usd_per_gb": price}
    return Backend.model_validate(document | ({"signals": signals} if signals else {}))


def test_a_month_is_told_from_a_minute_on() -> None:
    price = {"logs": Decimal(2)}

    short, long = Worth(timedelta(seconds=59)), Worth(timedelta(minutes=1), price)  # type: ignore[arg-type]

    assert short.bytes_a_month(10) is None
    assert Worth(None).bytes_a_month(10) is None
    assert long.bytes_a_month(10) == 432_000
    assert long.usd_a_month("logs", 1_000_000) == Decimal("86.4")


def test_what_is_not_known_is_no_price() -> None:
    worth = Worth(timedelta(days=1), {"logs": Decimal(1)})

    assert worth.usd_a_month("traces", 10**9) is None
    assert worth.usd_a_month("logs", 10**9) == 30
    assert Worth(None, {"logs": Decimal(1)}).usd_a_month("logs", 1) is None


def test_backends_are_paid_together_and_one_unknown_price_makes_all_unknown() -> None:
    backends = [backend("a", "0.5"), backend("b", "0.3", "logs"), backend("c", None, "metrics")]

    assert prices(backends) == {"traces": Decimal("0.5"), "logs": Decimal("0.8")}
    assert prices([]) == {}
    assert prices(backends, Decimal(1)) == dict.fromkeys(("traces", "metrics", "logs"), Decimal(1))


# In short


def test_an_item_is_told_in_one_line() -> None:
    told = span(
        "GET",
        status="error",
        duration="2.5s",
        attributes={"z": 1, "http.route": "/a", "a": "b" * 90},
    )

    assert in_short("traces", told.message()) == (
        'GET ERROR 2.5 s http.route="/a" a="' + "b" * 39 + " z=1"
    )
    assert in_short("traces", span("a", duration="3us").message()) == "a 3 us"
    assert in_short("logs", ShortLog(severity=9).message()) == "9 nil"
    assert in_short("metrics", ShortMetric(name="m", points=()).message()) == "m 0 x gauge"
    assert in_short("metrics", type(points(1).message())(name="m")) == "m 0 x nothing"


def test_a_long_line_is_cut() -> None:
    many = span("a" * 200)

    assert len(in_short("traces", many.message())) == LONGEST


def test_a_span_that_ends_before_it_starts_says_so() -> None:
    message = span("a").message()
    message.end_time_unix_nano = message.start_time_unix_nano - 1

    assert in_short("traces", message) == "a ends before it starts"
