"""Rules that redact: all that hold apply, whatever else is decided, and doubt redacts."""

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import RedactionPolicy
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.plan.items import SMALL
from reflexarc.telemetry.redaction import Redaction
from reflexarc.telemetry.rules import Rule
from tests.support.otlp import gauge, logs, metrics, record, span, traces
from tests.support.otlp_conditions import plain_map
from tests.support.otlp_requests import nested
from tests.support.rule_sets import compiled, items_in
from tests.support.rule_writing import rule

MAIL = "alice@example.com"
NOTHING = {"email": False, "card": False, "keys": False, "phone": False}


def redacts(name: str = "r", policy: dict[str, Any] | None = None, **more: Any) -> Rule:
    return rule(name, "redact", redact=policy or {}, **(more or {"span": "true"}))


def by_name(name: str, attribute: str, **more: Any) -> Rule:
    return redacts(name, {"attributes": [attribute], "detectors": NOTHING}, **more)


def redacted(
    signal: OtlpSignal, payload: bytes, *rules: Rule, salt: bytes = b""
) -> tuple[bytes, dict[str, int]]:
    """Redact twice each with the index and without: all agree."""
    found = [
        outcome
        for small in (SMALL, 0)
        for compiled_rules in [compiled(rules, small=small, salt=salt)]
        for outcome in (
            compiled_rules.redact(signal, payload),
            compiled_rules.redact(signal, payload),
        )
    ]
    assert found[1:] == found[:1] * 3
    left, counts = found[0]
    assert (left is payload) == (not counts)
    return left, dict(counts)


def attributes_in(payload: bytes) -> list[dict[str, Any]]:
    return [plain_map(item.attributes) for item in items_in("traces", payload)]


def test_what_a_rule_holds_for_is_redacted_and_the_rest_is_not() -> None:
    payload = traces(span(1, "alpha", who=MAIL), span(2, "beta", who=MAIL))

    left, counts = redacted("traces", payload, redacts(span='name == "beta"'))

    assert attributes_in(left) == [{"who": MAIL}, {"who": "[redacted:email]"}]
    assert counts == {"email": 1}


def test_the_very_bytes_come_back_where_nothing_is_found() -> None:
    payload = traces(span(1, "alpha", who="alice"))

    assert redacted("traces", payload, redacts()) == (payload, {})
    assert redacted("traces", payload, redacts(span='name == "beta"')) == (payload, {})
    assert redacted("traces", payload) == (payload, {})
    assert redacted("traces", payload, redacts(log_record="true")) == (payload, {})


def test_all_that_hold_apply() -> None:
    payload = traces(span(1, "alpha", one=1, two=2, three=3))
    rules = [
        by_name("first", "one", span=["true", 'name == "alpha"']),
        by_name("second", "two", span='attributes["one"] == 1', priority=1),
        by_name("other", "three", span='name == "beta"'),
    ]

    left, counts = redacted("traces", payload, *rules)

    assert attributes_in(left) == [
        {"one": "[redacted:attribute]", "two": "[redacted:attribute]", "three": 3}
    ]
    assert counts == {"attribute": 2}


def test_what_is_not_redacted_stays_byte_for_byte() -> None:
    unknown = b"\xfa\x3e\x03new"
    head = span(1, "alpha").SerializeToString() + unknown
    other = nested(head, 2)
    payload = unknown + nested(
        unknown + nested(other + nested(head + Span(name=MAIL).SerializeToString(), 2), 2), 1
    )

    left, _ = redacted("traces", payload, redacts())

    name = Span(name="[redacted:email]").SerializeToString()
    assert left == unknown + nested(unknown + nested(other + nested(head + name, 2), 2), 1)


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_items_of_every_signal_are_redacted(signal: OtlpSignal) -> None:
    payload, rules = {
        "traces": (traces(span(1, "alpha", who=MAIL)), redacts(span='name == "alpha"')),
        "metrics": (
            metrics(gauge("alpha", (1.0, {"who": MAIL}))),
            redacts(metric='name == "alpha"'),
        ),
        "logs": (logs(record(f"mail {MAIL}")), redacts(log_record='IsMatch(body, "^mail ")')),
    }[signal]

    left, counts = redacted(signal, payload, rules)

    assert MAIL.encode() not in left
    assert counts == {"email": 1}


def test_a_rule_that_redacts_decides_nothing_else() -> None:
    payload = traces(span(1, "alpha", who=MAIL), span(2, "beta"))
    rules = compiled([redacts(span="true", priority=0), rule("drops", span='name == "alpha"')])

    outcome = rules.apply("traces", payload)

    assert [each.rule for each in outcome.account.rules] == ["drops"]
    assert [item.name for item in items_in("traces", outcome.payload)] == ["beta"]


def test_a_rule_that_keeps_and_a_guard_stop_no_redaction() -> None:
    failed = span(1, "alpha", who=MAIL)
    failed.status.code = 2  # type: ignore[assignment]
    rules = [rule("keeps", "keep", span="true", priority=0), redacts()]

    assert redacted("traces", traces(failed), *rules)[1] == {"email": 1}


def test_a_rule_that_has_expired_redacts_no_more() -> None:
    payload = traces(span(1, "alpha", who=MAIL))

    assert redacted("traces", payload, redacts(span="true", expires="2026-11-23"))[0] is payload


def test_hashes_are_salted() -> None:
    payload = traces(span(1, "alpha", who=MAIL), span(2, "beta", who=MAIL))
    hashes = redacts(policy={"mode": "hash", "salt_secret": "salt"})

    one, other = (
        redacted("traces", payload, hashes, salt=salt)[0] for salt in (b"alpha" * 16, b"beta" * 16)
    )

    (first, second), (third, _) = attributes_in(one), attributes_in(other)
    assert first == second
    assert first != third


def test_rules_come_after_what_always_runs() -> None:
    payload = traces(span(1, "alpha", who=MAIL, plan="gold"))
    both = Redaction(Redactor(RedactionPolicy()), compiled([by_name("r", "plan", span="true")]))

    found = both.apply("traces", payload)

    assert attributes_in(found.payload) == [
        {"who": "[redacted:email]", "plan": "[redacted:attribute]"}
    ]
    assert found.counts == {"email": 1, "attribute": 1}


# Parts of items


def test_a_condition_on_points_holds_for_a_metric_of_which_one_meets_it() -> None:
    payload = metrics(
        gauge("alpha", (1.0, {"n": 1}), (2.0, {"who": MAIL})),
        gauge("beta", (1.0, {"n": 2}), (2.0, {"who": MAIL})),
        gauge("gamma"),
    )

    left, counts = redacted("metrics", payload, redacts(datapoint='attributes["n"] == 1'))

    assert counts == {"email": 1}
    assert [MAIL in str(metric) for metric in items_in("metrics", left)] == [False, True, False]


def test_a_condition_on_events_holds_for_a_span_of_which_one_meets_it() -> None:
    noisy, quiet = span(1, "alpha", who=MAIL), span(2, "beta", who=MAIL)
    noisy.events.add(name="x")
    noisy.events.add(name="noise")
    quiet.events.add(name="x")

    left, _ = redacted("traces", traces(noisy, quiet), redacts(spanevent='name == "noise"'))

    assert [each["who"] for each in attributes_in(left)] == ["[redacted:email]", MAIL]


# Doubt


@pytest.mark.parametrize(
    "stated",
    [
        {"span": "Int(name) > 1 / 0"},
        {"span": 'Int(attributes["who"]) > 1 / 0'},
        {"span": 'Int(resource.attributes["service.name"]) > 1 / 0'},
        {"span": 'Int(resource.attributes["service.name"]) > 1 / 0 and name == "alpha"'},
        {"span": "Int(scope.name) > 1 / 0"},
        {"span": "Int(span_id.string) > 1 / 0"},
        {"spanevent": "Int(name) > 1 / 0"},
    ],
)
def test_an_item_that_cannot_be_judged_is_redacted(stated: dict[str, Any]) -> None:
    first, second = span(1, "alpha", who=MAIL), span(2, "alpha", who=MAIL)
    for each in (first, second):
        each.events.add(name="e")

    left, counts = redacted("traces", traces(first, second), redacts(**stated))

    assert MAIL.encode() not in left
    assert counts == {"email": 2}


def test_doubt_about_one_item_redacts_no_other() -> None:
    payload = traces(span(1, "alpha", who=MAIL, n="5"), span(2, "beta", who=MAIL, n="x"))

    left, _ = redacted("traces", payload, redacts(span='Int(attributes["n"]) + 1 == 7'))

    assert [each["who"] for each in attributes_in(left)] == [MAIL, "[redacted:email]"]


def test_doubt_is_no_matter_where_another_part_fails() -> None:
    payload = traces(span(1, "alpha", who=MAIL))
    unsure = redacts(span='Int(resource.attributes["service.name"]) > 1 / 0 and name == "beta"')

    assert redacted("traces", payload, unsure)[0] is payload


def test_a_span_whose_events_cannot_be_read_is_redacted() -> None:
    # A name that is not UTF-8; redaction leaves no such text.
    payload = nested(
        b"\x2a\x01\xff" + Span(events=[Span.Event(name="e")]).SerializeToString(), 1, 2, 2
    )

    left, counts = redacted("traces", payload, redacts(spanevent='name == "noise" or 1 == 2'))

    assert counts == {"unreadable": 1}
    assert items_in("traces", left)[0].events[0].name == "e"


@pytest.mark.parametrize("payload", [b"\x0a\x05a", nested(b"\x2a\x05a", 1, 2, 2)])
def test_what_is_no_request_is_rejected(payload: bytes) -> None:
    with pytest.raises(Rejected, match="the traces cannot be read"):
        compiled([redacts()]).redact("traces", payload)
