"""What becomes of whole requests."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.otlp.wire import field_of, varint
from reflexarc.engines.redact.model import Interval
from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import RedactionPattern, RedactionPolicy
from tests.support.otlp_requests import attribute, nested, records, spans

MAIL = "write to bob@example.com now"
GONE = "write to [redacted:email] now"
PLAIN = Redactor(RedactionPolicy())


def redacted_span(span: Span, policy: RedactionPolicy | None = None) -> Span:
    result = Redactor(policy or RedactionPolicy()).apply("traces", spans(span).SerializeToString())
    request = ExportTraceServiceRequest.FromString(result.payload)
    return request.resource_spans[0].scope_spans[0].spans[0]


def redacted_record(record: LogRecord, policy: RedactionPolicy | None = None) -> LogRecord:
    payload = records(record).SerializeToString()
    result = Redactor(policy or RedactionPolicy()).apply("logs", payload)
    request = ExportLogsServiceRequest.FromString(result.payload)
    return request.resource_logs[0].scope_logs[0].log_records[0]


@pytest.mark.parametrize("parsed", [True, False])
def test_where_nothing_is_found_the_very_object_returns(*, parsed: bool) -> None:
    payload = spans(Span(name="chat", attributes=[attribute("a", string_value="b")]))
    came = payload.SerializeToString()

    result = PLAIN.apply("traces", came, parsed=parsed)

    assert result.payload is came
    assert result.counts == {}


def test_a_candidate_that_is_none_leaves_the_very_object() -> None:
    came = spans(Span(name="bob@x.1 password icon@2x.png")).SerializeToString()

    assert PLAIN.apply("traces", came).payload is came


def test_every_text_of_a_trace_is_searched() -> None:
    request = spans(Span(name=MAIL))
    there = request.resource_spans[0]
    there.schema_url = MAIL
    there.resource.attributes.append(attribute("r", string_value=MAIL))
    scoped = there.scope_spans[0]
    scoped.schema_url = scoped.scope.name = scoped.scope.version = MAIL
    scoped.scope.attributes.append(attribute("s", string_value=MAIL))
    span = scoped.spans[0]
    span.status.message = MAIL
    span.attributes.append(attribute("a", string_value=MAIL))
    span.events.add(name=MAIL, attributes=[attribute("e", string_value=MAIL)])
    span.links.add(attributes=[attribute("l", string_value=MAIL)])

    result = PLAIN.apply("traces", request.SerializeToString())

    assert result.counts == {"email": 12}
    assert result.payload.count(GONE.encode()) == 12
    assert b"example" not in result.payload


def test_every_text_of_metrics_is_searched_but_names_and_units() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    mail = attribute("a", string_value=MAIL)
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        metric = metrics.add(name="a@b.cc", unit="c@d.ee", description=MAIL, metadata=[mail])
        point = getattr(metric, kind).data_points.add(attributes=[mail])
        if kind != "summary":
            point.exemplars.add(filtered_attributes=[mail])

    result = PLAIN.apply("metrics", request.SerializeToString())

    assert result.counts == {"email": 19}
    changed = ExportMetricsServiceRequest.FromString(result.payload)
    names = {(m.name, m.unit) for m in changed.resource_metrics[0].scope_metrics[0].metrics}
    assert names == {("a@b.cc", "c@d.ee")}


def test_every_text_of_a_log_record_is_searched() -> None:
    body = AnyValue()
    body.kvlist_value.values.add(key="content").value.array_value.values.add(string_value=MAIL)
    record = LogRecord(
        severity_text=MAIL,
        event_name=MAIL,
        body=body,
        attributes=[attribute("a", bytes_value=b"+")],
    )
    record.attributes.append(attribute("b", bytes_value=MAIL.encode()))

    changed = redacted_record(record)

    there = changed.body.kvlist_value.values[0]
    assert there.key == "content"
    assert there.value.array_value.values[0].string_value == GONE
    assert (changed.severity_text, changed.event_name) == (GONE, GONE)
    assert changed.attributes[0].value.bytes_value == b"+"
    assert changed.attributes[1].value.bytes_value == GONE.encode()


def test_bytes_that_are_no_text_go_whole_where_something_is_found_in_them() -> None:
    span = Span(
        attributes=[
            attribute("a", bytes_value=b"\xff\xfe" + MAIL.encode()),
            attribute("b", bytes_value=b"\xff\xfe@"),
        ]
    )

    changed = redacted_span(span)

    assert changed.attributes[0].value.bytes_value == b"[redacted:unreadable]"
    assert changed.attributes[1].value.bytes_value == b"\xff\xfe@"


@pytest.mark.parametrize(
    "value",
    [
        {"string_value": "x"},
        {"string_value": ""},
        {"int_value": 7},
        {"bool_value": False},
        {"double_value": 0.5},
        {"bytes_value": b"\xff"},
        {"array_value": {"values": [{"string_value": "x"}]}},
        {"kvlist_value": {"values": [{"key": "k", "value": {"int_value": 1}}]}},
    ],
)
def test_an_attribute_goes_by_its_name_whatever_it_holds(value: dict[str, Any]) -> None:
    span = Span(attributes=[attribute("DB.Password", **value), attribute("kept", **value)])

    changed = redacted_span(span)

    assert changed.attributes[0] == attribute("DB.Password", string_value="[redacted:attribute]")
    assert changed.attributes[1] == attribute("kept", **value)


def test_a_key_of_a_map_goes_by_its_name_too() -> None:
    body = AnyValue()
    body.kvlist_value.values.append(attribute("password", string_value="hunter"))
    body.kvlist_value.values.append(attribute("user", string_value="bob"))

    changed = redacted_record(LogRecord(body=body))

    assert [pair.value.string_value for pair in changed.body.kvlist_value.values] == [
        "[redacted:attribute]",
        "bob",
    ]


def test_an_attribute_without_a_value_has_nothing_to_hide() -> None:
    came = spans(Span(attributes=[KeyValue(key="password"), attribute("secret")]))
    payload = came.SerializeToString()

    assert PLAIN.apply("traces", payload).payload is payload


def test_a_text_of_some_megabytes_is_a_text() -> None:
    text = "x" * 3_000_000 + " bob@example.com"

    assert redacted_span(Span(name=text)).name == "x" * 3_000_000 + " [redacted:email]"


def test_names_of_ones_own_stand_beside_the_default_list_or_replace_it() -> None:
    span = Span(
        attributes=[attribute(key, string_value="x") for key in ("user.ssn", "password", "z")]
    )

    beside = redacted_span(span, RedactionPolicy(also=("*.ssn",)))
    instead = redacted_span(span, RedactionPolicy(attributes=("*.ssn",)))
    every = redacted_span(span, RedactionPolicy(attributes=("*",)))

    def kept(changed: Span) -> list[str]:
        return [a.key for a in changed.attributes if a.value.string_value == "x"]

    assert (kept(beside), kept(instead), kept(every)) == (["z"], ["password", "z"], [])


def test_allowed_attributes_are_not_searched_but_go_by_name() -> None:
    inner = AnyValue(string_value=MAIL)
    inside = attribute("map", kvlist_value={"values": [{"key": "id", "value": inner}]})
    span = Span(
        attributes=[
            attribute("id", string_value=MAIL),
            attribute("x.id", string_value=MAIL),
            attribute("password", string_value=MAIL),
            attribute("other", string_value=MAIL),
            inside,
        ]
    )

    changed = redacted_span(span, RedactionPolicy(allow=("id", "*.id", "password")))

    assert [a.value.string_value for a in changed.attributes[:4]] == [
        MAIL,
        MAIL,
        "[redacted:attribute]",
        GONE,
    ]
    assert changed.attributes[4].value.kvlist_value.values[0].value.string_value == GONE


def test_what_is_redacted_twice_is_what_is_redacted_once() -> None:
    span = Span(name=MAIL, attributes=[attribute("password", int_value=1)])
    once = PLAIN.apply("traces", spans(span).SerializeToString())

    twice = PLAIN.apply("traces", once.payload)

    assert once.counts == {"email": 1, "attribute": 1}
    assert twice.counts == {}
    assert twice.payload is once.payload


@pytest.mark.parametrize(
    "pattern",
    ["^EMP[0-9]+$", r"\bEMP[0-9]{2,}\b", r"\QEMP\E\d+", "[[:upper:]]{3}[0-9]+", "EMP[^]]+"],
)
def test_a_pattern_finds_what_it_matches_in_a_text_of_its_own(pattern: str) -> None:
    policy = RedactionPolicy(patterns=(RedactionPattern(name="staff", pattern=pattern),))

    changed = redacted_span(Span(name="EMP0123456", kind=Span.SPAN_KIND_SERVER), policy)

    assert changed.name == "[redacted:staff]"


def test_content_is_replaced_whole_where_the_policy_says_so() -> None:
    kept = ("gen_ai.request.model", "gen_ai.prompt.0.role", "llm.token_count.prompt")
    gone = ("gen_ai.prompt.0.content", "input.value", "ai.prompt", "gen_ai.tool.call.arguments")
    span = Span(attributes=[attribute(key, string_value="x") for key in kept + gone])
    span.events.add(name="gen_ai.content.prompt", attributes=[attribute("gen_ai.prompt")])
    span.events[0].attributes[0].value.string_value = "x"
    span.events.add(
        name="gen_ai.user.message",
        attributes=[attribute("content", string_value="x"), attribute("role", string_value="x")],
    )
    span.events.add(name="other", attributes=[attribute("content", string_value="x")])

    changed = redacted_span(span, RedactionPolicy(content="remove"))

    assert {a.key for a in changed.attributes if a.value.string_value == "x"} == set(kept)
    assert [a.value.string_value for event in changed.events for a in event.attributes] == [
        "[redacted:content]",
        "[redacted:content]",
        "x",
        "x",
    ]


@pytest.mark.parametrize("field", [True, False])
def test_the_body_of_a_content_event_is_replaced_whole(*, field: bool) -> None:
    body = AnyValue()
    body.kvlist_value.values.append(attribute("content", string_value="the prompt"))
    record = LogRecord(body=body, attributes=[attribute("n", int_value=1)])
    if field:
        record.event_name = "gen_ai.user.message"
    else:
        record.attributes.append(attribute("event.name", string_value="gen_ai.user.message"))

    changed = redacted_record(record, RedactionPolicy(content="remove"))

    assert changed.body == AnyValue(string_value="[redacted:content]")
    assert changed.attributes == record.attributes


def test_an_event_without_a_body_and_other_records_stay() -> None:
    policy = RedactionPolicy(content="remove")
    empty = LogRecord(event_name="gen_ai.choice", body=AnyValue())
    other = LogRecord(
        event_name="not gen_ai.choice",
        body=AnyValue(string_value="x"),
        attributes=[attribute("event.name", int_value=1), KeyValue(key="event.name")],
    )
    other.attributes[1].MergeFromString(b"".join(field_of(9, b"unknown")))

    assert redacted_record(empty, policy) == empty
    assert redacted_record(other, policy) == other


def test_all_other_bytes_stay_as_they_came() -> None:
    long = b"\x80\x00"  # makes any one-byte number overlong
    unknown = b"\xa2\x06\x03abc" + b"\xa8\x06\x01" + b"\xb3\x06\x08\x01\xb4\x06"
    text = b"bob@example.com"

    def span(name: bytes, name_size: bytes) -> bytes:
        return unknown + b"\x2a" + name_size + name + b"\x39" + b"\x41" * 8 + b"\x32\x81\x00" + b"z"

    def request(inner: bytes, size: bytes, *rest: bytes) -> bytes:
        scoped = b"\x12" + size + inner + b"".join(rest) + b"\x1a\x81\x00u"
        return nested(nested(scoped, 2), 1) + unknown

    untouched = span(b"chat", b"\x84\x80\x00")
    tail = b"\x12" + bytes([len(untouched) | 0x80]) + long[1:] + untouched
    inner = span(text, bytes([len(text) | 0x80]) + long)
    expected_inner = span(b"[redacted:email]", varint(16))
    came = request(inner, varint(len(inner) | 1 << 7)[:1] + long, tail)

    result = PLAIN.apply("traces", came)

    assert result.counts == {"email": 1}
    assert result.payload == request(expected_inner, varint(len(expected_inner)), tail)


def test_a_message_that_is_split_in_two_is_searched_in_both_parts() -> None:
    one = nested(nested(b"\x0a\x01a", 9) + nested(b"\x12" + nested(MAIL.encode(), 1)[:0], 9), 2)
    half = b"".join(field_of(1, b"a")) + nested(nested(MAIL.encode(), 1), 2)
    twice = half + nested(nested(b"password", 1), 1) * 0 + nested(nested(MAIL.encode(), 1), 2)
    payload = nested(one[:0] + nested(nested(twice, 9), 2), 1, 2)

    result = PLAIN.apply("traces", payload)

    assert result.counts == {"email": 2}
    assert b"example" not in result.payload


def test_an_attribute_with_two_names_goes_if_one_of_them_is_secret() -> None:
    pair = b"".join(
        (
            *field_of(1, b"password"),
            *field_of(1, b"x"),
            *field_of(2, b"\x0a\x01a"),
            *field_of(2, b""),
        )
    )
    payload = nested(pair, 1, 2, 2, 9)

    result = PLAIN.apply("traces", payload)

    assert result.counts == {"attribute": 1}
    assert b"[redacted:attribute]" in result.payload


class Shouting:
    kind = "shouting"

    def find(self, text: bytes) -> Iterator[Interval]:
        if text.isupper():
            yield 0, len(text)


def test_a_detector_of_ones_own_sees_every_text() -> None:
    redactor = Redactor(RedactionPolicy(), detectors=[Shouting()])

    result = redactor.apply("traces", spans(Span(name="HELP")).SerializeToString(), parsed=True)

    assert result.counts == {"shouting": 1}


def test_a_payload_that_was_not_parsed_after_all_lets_nothing_pass() -> None:
    payload = nested(b"caf\xe9 bob@example.com", 1, 2, 2, 5)

    result = PLAIN.apply("traces", payload, parsed=True)

    assert result.payload == nested(b"[redacted:unreadable]", 1, 2, 2, 5)
