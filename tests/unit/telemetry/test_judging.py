"""What becomes of spans and log records: sampled, or kept where a condition raises."""

from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.plan import items
from reflexarc.telemetry.rules import Rule
from tests.support.otlp import logs, record, span, traces
from tests.support.otlp_conditions import plain_map
from tests.support.otlp_requests import nested
from tests.support.rule_sets import applied, compiled, counts, items_in, names_in
from tests.support.rule_writing import rule

LUCKY, LUCKLESS = b"t" * 9 + b"\xff" * 7, b"t" * 9 + b"\0" * 7
# A span whose name is not UTF-8, and one with such a key; each with an event.
BAD_NAME = b"\x2a\x01\xff" + nested(b"\x12\x05noise", 11)
BAD_KEY = b"\x2a\x05alpha" + nested(b"\x0a\x01\xff", 9)


def sampling(percent: float = 50, **more: Any) -> Rule:
    """Return a rule that samples everything it is asked of."""
    return rule(
        "samples", "sample", percent=percent, **(more or {"span": "true", "log_record": "true"})
    )


# Sampling


def test_spans_of_a_trace_stay_or_go_together() -> None:
    given = [
        Span(name=f"{name} {n}", trace_id=trace)
        for n in range(3)
        for name, trace in (("stays", LUCKY), ("goes", LUCKLESS))
    ]

    outcome = applied("traces", traces(*given), sampling())

    assert names_in("traces", outcome.payload) == ["stays 0", "stays 1", "stays 2"]
    did = counts(outcome.account)["samples"]
    assert (did.matched, did.removed, did.action) == (6, 3, "sample")


def test_a_span_that_stays_says_its_threshold_and_is_else_as_it_came() -> None:
    unknown = b"\xfa\x3e\x03new"
    given = Span(name="alpha", trace_id=LUCKY, trace_state="vendor=1,ot=rv:ff000000000000;x:y,b=2")
    item = given.SerializeToString() + unknown

    (left,) = items_in("traces", applied("traces", nested(item, 1, 2, 2), sampling(25)).payload)

    assert left.trace_state == "ot=th:c;rv:ff000000000000;x:y,vendor=1,b=2"
    left.trace_state = given.trace_state
    assert left.SerializeToString() == item


def test_a_higher_threshold_stays_and_the_rule_has_decided() -> None:
    given = Span(name="alpha", trace_id=LUCKLESS, trace_state="ot=th:f")

    payload = traces(given)
    outcome = applied("traces", payload, sampling(), rule("later", span="true"))

    assert outcome.payload is payload
    did = counts(outcome.account)
    assert did.keys() == {"samples"}
    assert (did["samples"].matched, did["samples"].removed) == (1, 0)


def test_what_was_kept_of_few_is_not_counted_for_more() -> None:
    """Half of a quarter that stays is still a quarter's."""
    given = Span(name="alpha", trace_id=LUCKY, trace_state="ot=th:8")

    (left,) = items_in("traces", applied("traces", traces(given), sampling(25)).payload)

    assert left.trace_state == "ot=th:c"


def test_sampled_shares_are_as_they_were_asked_for() -> None:
    """Of 1,024 traces at equal steps through all randomness."""
    given = [Span(trace_id=b"t" * 9 + (n << 46).to_bytes(7, "big")) for n in range(1_024)]

    removed = applied("traces", traces(*given), sampling(20)).account.removed

    assert removed == 820


def test_log_records_are_sampled_by_their_trace_and_say_so() -> None:
    given = [LogRecord(trace_id=LUCKY, severity_text="alpha"), LogRecord(trace_id=LUCKLESS)]

    outcome = applied("logs", logs(*given), sampling())

    (left,) = items_in("logs", outcome.payload)
    assert left.severity_text == "alpha"
    assert plain_map(left.attributes) == {
        "sampling.threshold": "8",
        "sampling.randomness": "ffffffffffffff",
    }


def test_log_records_of_no_trace_are_sampled_by_their_bytes() -> None:
    given = [record(f"line {n}") for n in range(200)]

    once = applied("logs", logs(*given), sampling())
    backwards = applied("logs", logs(*reversed(given)), sampling())

    assert 60 < once.account.removed < 140
    bodies = [each.body.string_value for each in items_in("logs", once.payload)]
    assert bodies == [each.body.string_value for each in items_in("logs", backwards.payload)][::-1]


def test_log_records_keep_a_higher_threshold() -> None:
    payload = logs(record("alpha", sampling__threshold="c"), record("alpha", x=1))

    outcome = applied("logs", payload, sampling(90))

    assert items_in("logs", outcome.payload)[0] == items_in("logs", payload)[0]


def test_sampling_tells_by_a_trace_whatever_the_condition_reads() -> None:
    """Of a batch so large that looks at attributes are spared, too."""
    given = [record(f"line {n}", sampling__threshold="c") for n in range(500)]
    samples = sampling(50, log_record='attributes["alpha"] != "beta"')

    outcome = applied("logs", logs(*given), samples)

    assert outcome.account.removed == 0
    assert outcome.payload == logs(*given)


# Conditions that raise


@pytest.mark.parametrize(
    "condition",
    [
        'Hour(Time(name, "%H")) == 1',
        "Int(name) > 1 / 0",
        'Int(attributes["at"]) > 1 / 0',
        'Int(attributes["at"]) > Int(name) / 0',
        'Int(resource.attributes["service.name"]) > 1 / 0',
        'Int(scope.name) > 1 / 0 and name == "alpha"',
        'Int(span_id.string) > 1 / 0 and attributes["at"] == "noon"',
    ],
)
def test_a_condition_that_raises_keeps_the_item_and_is_counted(condition: str) -> None:
    payload = traces(span(1, "alpha", at="noon"))
    rules = [rule("bad", span=condition), rule("good", span='attributes["at"] == "noon"')]

    alone, both = applied("traces", payload, rules[0]), applied("traces", payload, *rules)

    assert alone.payload is payload
    assert counts(alone.account)["bad"].errors == 1
    assert counts(both.account)["bad"].errors == 1
    assert counts(both.account)["good"].removed == 1


def test_errors_of_a_batch_that_was_refused_are_not_those_of_the_next() -> None:
    rules = compiled(
        [rule("bad", span='Int(name) > 1 / 0 or resource.attributes["alpha"] == "beta"')]
    )
    # The resource of the second span is cut off within.
    broken = traces(span(1, "alpha")) + nested(nested(b"\x2a\x01b", 2, 2) + b"\x0a\x01\x0a", 1)

    for _ in range(2):
        with pytest.raises(Rejected, match="cannot be read"):
            rules.apply("traces", broken)

    assert counts(rules.apply("traces", traces(span(1, "alpha"))).account)["bad"].errors == 1


@pytest.mark.parametrize(
    ("item", "stated"),
    [
        (BAD_NAME, {"span": 'name != "beta"'}),
        (BAD_NAME, {"span": 'span_id.string != "beta"'}),
        (BAD_NAME, {"spanevent": 'name == "noise"'}),
        (BAD_NAME, {"spanevent": 'span.name == "noise" or name == "noise"'}),
        (BAD_KEY, {"span": 'attributes["alpha"] != "beta"'}),
        (BAD_KEY, {"span": 'attributes["alpha"] != "beta" and name == "alpha"'}),
    ],
)
def test_a_span_that_cannot_be_decoded_stays(item: bytes, stated: dict[str, str]) -> None:
    payload = nested(item, 1, 2, 2)

    outcome = compiled([rule("r", **stated)]).apply("traces", payload)

    assert outcome.payload is payload
    assert counts(outcome.account)["r"].errors == 1


def test_a_span_that_cannot_be_decoded_is_no_matter_for_the_others_of_its_batch() -> None:
    good = span(1, "alpha", x="beta").SerializeToString()
    payload = nested(nested(good, 2) + nested(BAD_KEY, 2) + nested(good, 2), 1, 2)

    outcome = compiled([rule("r", span='attributes["x"] == "beta"')]).apply("traces", payload)

    assert counts(outcome.account)["r"].removed == 2
    assert outcome.payload == nested(BAD_KEY, 1, 2, 2)


def test_a_log_record_whose_value_cannot_be_decoded_stays() -> None:
    bad_body = nested(b"\x0a\x01\xff", 5)
    payload = nested(bad_body, 1, 2, 2)

    outcome = compiled([rule("r", log_record='body != "alpha"')]).apply("logs", payload)

    assert outcome.payload is payload
    assert counts(outcome.account)["r"].errors == 1


# Values that come in odd ways


def test_of_equal_keys_the_first_counts() -> None:
    twice = span(1, "alpha", x="first")
    twice.attributes.extend(span(1, "alpha", x="second").attributes)
    rules = [rule("second", span='attributes["x"] == "second"'), rule("r", span='name == "beta"')]
    payload = traces(twice, span(2, "gamma"))

    assert applied("traces", payload, *rules).payload is payload
    first = applied("traces", payload, rule("first", span='attributes["x"] == "first"'))
    assert names_in("traces", first.payload) == ["gamma"]


def test_a_body_that_is_written_twice_is_merged() -> None:
    text, items_of_it = nested(b"\x0a\x01a", 5), nested(nested(b"\x12\x03\x0a\x01x", 5), 5)
    payload = nested(text + items_of_it, 1, 2, 2)

    outcome = applied("logs", payload, rule("r", log_record='body == "alpha"'))
    empty = applied("logs", nested(b"", 1, 2, 2), rule("r", log_record="body == nil"))

    assert outcome.account.removed == 0
    assert empty.account.removed == 1


@pytest.mark.parametrize(
    ("start", "end", "comparison", "goes"),
    [
        (5, 10, "< 6", True),
        (5, 10, "== 5", True),
        (5, 10, "> 5", False),
        (10, 5, "< 0", True),
        (10, 5, "== -5", True),
        (0, 2**64 - 1, "== -1", True),
        (2**63, 0, "< 0", True),
        (0, 2**63, "< 0", True),
        (0, 2**63 - 1, "> 0", True),
        (1, 1, "== 0", True),
    ],
)
def test_a_duration_is_compared_as_64_bits_have_it(
    start: int,
    end: int,
    comparison: str,
    goes: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    given = Span(name="alpha", start_time_unix_nano=start, end_time_unix_nano=end)
    difference = "end_time_unix_nano - start_time_unix_nano"

    by_numbers = applied("traces", traces(given), rule("r", span=f"{difference} {comparison}"))
    mirrored = {"<": ">", ">": "<", "==": "=="}
    sign, number = comparison.split()
    other = applied(
        "traces", traces(given), rule("r", span=f"{number} {mirrored[sign]} {difference}")
    )

    assert by_numbers.account.removed == other.account.removed == goes


# Large batches: looks at attributes that are spared change nothing


@pytest.mark.parametrize("signal", ["traces", "logs"])
@pytest.mark.parametrize("share", [0, 0.1, 0.9, 1])
def test_a_large_batch_is_judged_as_its_items_one_by_one(
    signal: OtlpSignal, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "AT_ONCE", 450)
    level = "span" if signal == "traces" else "log_record"
    rules = [
        rule("absent", **{level: 'attributes["tenant"] != "acme"'}),
        rule("none", **{level: 'not IsMatch(attributes["tenant"], "^ac") and 1 == 2'}),
    ]
    wanted = round(share * 1_000)
    given = [
        {"tenant": "acme"} if n < wanted else {"http.status_code": 500} if n % 7 == 0 else {}
        for n in range(1_000)
    ]
    if signal == "traces":
        payload = traces(*(span(1, "alpha", **each) for each in given))
    else:
        payload = logs(*(record("alpha", **each) for each in given))

    account = applied(signal, payload, *rules).account

    guarded = sum(n % 7 == 0 for n in range(wanted, 1_000))
    did = counts(account).get("absent")
    assert account.removed == 1_000 - wanted - guarded
    assert (did.guarded if did else 0) == guarded
    assert account.guards.get("server errors", 0) == guarded


def test_where_most_looks_are_due_it_is_not_asked_for_a_while_and_still_right() -> None:
    rules = compiled([rule("r", span='attributes["tenant"] != "acme"')])
    all_due = traces(*(span(1, "alpha", tenant="acme") for _ in range(500)))
    few_due = traces(*(span(1, "alpha", tenant="umbrella") for _ in range(500)))

    for _ in range(items.BATCHES_WITHOUT + 2):
        assert rules.apply("traces", all_due).account.removed == 0
        assert rules.apply("traces", few_due).account.removed == 500
