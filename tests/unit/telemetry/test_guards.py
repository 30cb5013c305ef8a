"""What no rule takes away, whatever it says and whenever it is asked."""

from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.reads import Read
from reflexarc.gpu.reads import DCGM_METRICS, READS
from reflexarc.telemetry.rules import Rule
from tests.support.otlp import attributes, gauge, logs, metrics, record, span, traces
from tests.support.otlp_requests import nested
from tests.support.rule_sets import applied, compiled, counts, names_in
from tests.support.rule_writing import rule

LUCKLESS, LUCKY = b"t" * 9 + b"\0" * 7, b"t" * 9 + b"\xff" * 7


def takes_all(signal: OtlpSignal, action: str = "drop", **more: Any) -> Rule:
    """Return a rule that is asked before all others and holds for everything."""
    level = {"traces": "span", "metrics": "metric", "logs": "log_record"}[signal]
    return rule("all", action, priority=0, **{level: "true"}, **more)


def kept_for(signal: OtlpSignal, payload: bytes, *reads: Read) -> str:
    """Return who wants the only item of a request kept, nothing where it goes."""
    outcome = applied(signal, payload, takes_all(signal), reads=reads)
    did = counts(outcome.account)["all"]
    assert did.guarded + did.removed == did.matched == 1
    if did.removed:
        assert outcome.account.guards == {}
        return ""
    ((who, times),) = outcome.account.guards.items()
    assert outcome.payload is payload
    assert times == 1
    return who


def failed_span(code: Any) -> Span:
    return Span(name="alpha", status=Status(code=code))


@pytest.mark.parametrize(
    ("item", "who"),
    [
        (failed_span(2), "errors"),
        (failed_span(1), ""),
        (failed_span(0), ""),
        (span(1, http__response__status_code=500), "server errors"),
        (span(1, http__response__status_code=599), "server errors"),
        (span(1, http__status_code=503), "server errors"),
        (span(1, http__status_code=500.0), "server errors"),
        (span(1, http__response__status_code=499), ""),
        (span(1, http__response__status_code=499, http__status_code=500), "server errors"),
        (span(1, http__response__status_code="500"), ""),
        (span(1, http__response__status_code=True), ""),
    ],
)
def test_errors_and_server_errors_stay_of_spans(item: Span, who: str) -> None:
    assert kept_for("traces", traces(item)) == who


@pytest.mark.parametrize(
    ("item", "who"),
    [
        (LogRecord(severity_number=17), "errors"),  # type: ignore[arg-type]
        (LogRecord(severity_number=24), "errors"),  # type: ignore[arg-type]
        (LogRecord(severity_number=16), ""),  # type: ignore[arg-type]
        (LogRecord(severity_text="ERROR"), ""),
        (record("alpha", http__status_code=500), "server errors"),
        (record("alpha", http__response__status_code=500), "server errors"),
        (record("alpha", http__response__status_code=404), ""),
    ],
)
def test_errors_and_server_errors_stay_of_logs(item: LogRecord, who: str) -> None:
    assert kept_for("logs", logs(item)) == who


@pytest.mark.parametrize(
    ("body", "stays"),
    [
        ("NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.", True),
        ("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Fatal", True),
        ("NVRM: GPU at PCI:0000:3b:00: GPU-1 has fallen off the bus.", True),
        ({"line": {"inner": "NVRM: Xid (PCI:0000:3b:00): 79"}}, True),
        ("xid", False),
        ("taxi", False),
    ],
)
def test_kernel_lines_of_gpu_faults_stay(body: Any, stays: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert (kept_for("logs", logs(record(body)), *READS) == READS[0].who) == stays


@pytest.mark.parametrize("name", [*DCGM_METRICS, "DCGM_FI_DEV_GPU_TEMPO", "XDCGM_FI_DEV_GPU_TEMP"])
def test_metrics_that_become_gpu_readings_stay(name: str) -> None:
    who = kept_for("metrics", metrics(gauge(name, (1.0, {}))), *READS)

    assert who == (READS[1].who if name in DCGM_METRICS else "")


def test_who_reads_nothing_of_an_item_does_not_keep_it() -> None:
    outcome = applied(
        "logs", logs(record("NVRM: Xid"), record("beta")), takes_all("logs"), reads=READS
    )

    assert outcome.account.guards == {READS[0].who: 1}
    assert counts(outcome.account)["all"].removed == 1


def test_a_guard_is_counted_only_for_what_a_rule_would_take() -> None:
    payload = traces(
        span(1, "alpha", http__status_code=500), span(2, "beta", http__status_code=500)
    )

    outcome = applied("traces", payload, rule("r", span='name == "alpha"'))

    assert outcome.account.guards == {"server errors": 1}
    assert counts(outcome.account)["r"].guarded == 1


def test_a_rule_in_shadow_counts_what_a_guard_would_hold_back() -> None:
    shadow = takes_all("traces", shadow=True)

    did = counts(applied("traces", traces(failed_span(2), failed_span(1)), shadow).account)["all"]

    assert (did.matched, did.guarded, did.shadowed) == (2, 1, 1)


def test_a_rule_that_keeps_is_no_matter_for_a_guard() -> None:
    outcome = applied("traces", traces(failed_span(2)), rule("keeps", "keep", span="true"))

    assert outcome.account.guards == {}
    assert counts(outcome.account)["keeps"].guarded == 0


def test_what_a_guard_wants_is_not_sampled_and_stands_for_itself_alone() -> None:
    samples = takes_all("traces", "sample", percent=50)
    lucky, luckless = failed_span(2), failed_span(2)
    lucky.trace_id, luckless.trace_id = LUCKY, LUCKLESS
    payload = traces(lucky, luckless)

    outcome = applied("traces", payload, samples)

    # Only one of them would have gone.
    assert outcome.payload is payload
    assert counts(outcome.account)["all"].guarded == outcome.account.guards["errors"] == 1


def test_events_of_a_span_that_a_guard_wants_stay() -> None:
    failed = failed_span(2)
    failed.events.add(name="noise")
    failed.events.add(name="noise")
    rules = [rule("r", spanevent='name == "noise"'), rule("other", spanevent='name == "beta"')]

    outcome = applied("traces", traces(failed), *rules)

    assert outcome.payload == traces(failed)
    assert outcome.account.guards == {"errors": 1}
    assert {name: each.guarded for name, each in counts(outcome.account).items()} == {"r": 1}


def test_every_point_of_a_metric_that_somebody_reads_stays() -> None:
    payload = metrics(gauge("DCGM_FI_DEV_GPU_TEMP", (1.0, {"gpu": 0}), (2.0, {"gpu": 1})))
    rules = [rule("one", datapoint='attributes["gpu"] == 0'), rule("all", metric="true")]

    outcome = applied("metrics", payload, *rules, reads=READS)

    assert outcome.payload is payload
    assert {name: each.guarded for name, each in counts(outcome.account).items()} == {
        "one": 1,
        "all": 1,
    }
    assert outcome.account.guards == {READS[1].who: 2}


# Guards that cannot tell


@pytest.mark.parametrize(
    "condition",
    [
        'Hour(Time(name, "%H")) == 1',
        'Hour(Time(attributes["at"], "%H")) == 1',
        'Hour(Time(resource.attributes["service.name"], "%H")) == 1',
        'Int(resource.attributes["service.name"]) > 1 / 0',
        'Int(scope.name) > 1 / 0 and resource.attributes["service.name"] == "shop"',
        "Int(name) > 1 / 0",
        'Int(attributes["at"]) > 1 / 0',
        "Int(name) > 1 / 0 or Int(span_id.string) > 1 / 0",
    ],
)
def test_a_guard_that_raises_keeps(condition: str) -> None:
    reader = Read(who="reader", signal="traces", conditions=(condition,))

    assert kept_for("traces", traces(span(1, "alpha", at="noon")), reader) == "reader"


def test_a_guard_is_not_in_doubt_where_another_part_of_it_fails() -> None:
    condition = 'Int(resource.attributes["service.name"]) > 1 / 0 and name == "beta"'
    reader = Read(who="reader", signal="traces", conditions=(condition,))

    assert kept_for("traces", traces(span(1, "alpha")), reader) == ""


def test_an_item_that_cannot_be_decoded_is_kept_by_guards_that_read_its_attributes() -> None:
    # A key that is not UTF-8.
    unreadable = nested(b"\x2a\x05alpha" + nested(b"\x0a\x01\xff", 9), 1, 2, 2)

    outcome = compiled([rule("r", span='name == "alpha"')]).apply("traces", unreadable)

    assert outcome.payload is unreadable
    assert counts(outcome.account)["r"].guarded == 1


def test_guards_may_read_the_resource_and_the_scope() -> None:
    reader = Read(
        who="reader",
        signal="traces",
        conditions=('resource.attributes["service.name"] == "shop" and scope.name == "x"',),
    )
    payload = b"".join(
        traces(span(1, f"{service} {scope}"), resource={"service.name": service}, scope=scope)
        for service in ("shop", "bank")
        for scope in ("x", "y")
    )

    outcome = applied("traces", payload, takes_all("traces"), reads=[reader])

    assert names_in("traces", outcome.payload) == ["shop x"]
    assert outcome.account.guards == {"reader": 1}


def test_the_first_who_wants_an_item_is_named() -> None:
    both = span(1, "alpha", http__status_code=500)
    both.status.code = 2  # type: ignore[assignment]
    reader = Read(who="reader", signal="traces", conditions=("true",))

    assert kept_for("traces", traces(both), reader) == "errors"
    assert kept_for("traces", traces(span(1, "alpha")), reader) == "reader"


def test_one_reader_may_have_several_conditions() -> None:
    reader = Read(who="reader", signal="traces", conditions=('name == "alpha"', 'name == "beta"'))

    outcome = applied(
        "traces",
        traces(span(1, "alpha"), span(2, "beta"), span(3, "gamma")),
        takes_all("traces"),
        reads=[reader],
    )

    assert names_in("traces", outcome.payload) == ["alpha", "beta"]
    assert outcome.account.guards == {"reader": 2}


def test_attributes_that_come_twice_are_read_by_the_first() -> None:
    twice = Span(name="alpha", attributes=attributes({"http.status_code": 500}))
    twice.attributes.extend(attributes({"http.status_code": 200}))
    other = Span(name="alpha", attributes=attributes({"http.status_code": 200}))
    other.attributes.extend(attributes({"http.status_code": 500}))

    assert kept_for("traces", traces(twice)) == "server errors"
    assert kept_for("traces", traces(other)) == ""
