"""Conditions become Python over plain fields and attributes, whatever their keys and texts are."""

from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.telemetry.plan.clauses import nothing
from reflexarc.telemetry.plan.fragments import merged, slots_of, test_of
from reflexarc.telemetry.plan.slots import Attribute, Header
from tests.support.otlp import any_value, logs, record, span, traces
from tests.support.rule_sets import applied
from tests.support.rule_writing import rule

test_of.__test__ = False  # type: ignore[attr-defined]  # it is the function under test
ODD = (
    "a'b",
    'a"b',
    "a\nb",
    "a\\",
    "{a}",
    "%s",
    "a\0b",
    "ключ",
    "\U0001f600",
    "__import__('os')",
    "",
)


def quoted(text: str) -> str:
    """Return a text as OTTL writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@pytest.mark.parametrize("odd", ODD)
def test_keys_and_texts_are_data_whatever_they_look_like(odd: str) -> None:
    met, other = Span(name="a"), Span(name="b")
    met.attributes.append(KeyValue(key=odd, value=any_value(odd)))
    other.attributes.append(KeyValue(key=f"{odd}x", value=any_value(odd)))
    condition = f"attributes[{quoted(odd)}] == {quoted(odd)}"

    outcome = applied("traces", traces(met, other), rule("r", span=condition))

    assert outcome.payload == traces(other)


def test_where_nothing_is_asked_there_is_nothing_to_ask() -> None:
    assert test_of([], [], "traces") is None


def test_parts_are_asked_from_left_to_right_until_one_fails() -> None:
    parts = [parse(text, "span") for text in ('name == "a"', 'attributes["x"] == 1')]
    test = test_of(parts, [], "traces")
    assert test is not None

    class Fields:
        name = b"b"

    def unasked(key: str) -> bytes:
        raise AssertionError(key)

    assert not test(Fields, unasked, None)


def test_each_slot_is_named_once() -> None:
    condition = parse('attributes["a"] == attributes["b"] or name == attributes["a"]', "span")

    assert slots_of(condition, "traces") == (Attribute("a"), Attribute("b"), Header("name"))
    assert slots_of(parse("trace_id.string == name", "span"), "traces") == (Header("name"),)


def test_a_body_that_is_written_twice_is_put_together() -> None:
    assert merged([]) is None
    assert merged([b"a"]) == b"a"
    assert merged([b"a", b"b"]) == b"ab"


def test_bytes_that_are_no_text_are_an_error() -> None:
    class Fields:
        name = b"\xff"

    test = test_of([parse('name == "a"', "span")], [], "traces")

    assert test is not None
    with pytest.raises(EvaluationError, match="cannot be decoded"):
        test(Fields, nothing, None)


@pytest.mark.parametrize(
    ("condition", "fields", "goes"),
    [
        ("start_time_unix_nano > 5", {"start_time_unix_nano": 6}, True),
        ("start_time_unix_nano > 5", {"start_time_unix_nano": 2**63}, False),
        ("start_time_unix_nano == end_time_unix_nano", {}, True),
        ("end_time_unix_nano - start_time_unix_nano > 1.5", {"end_time_unix_nano": 2}, True),
        ("start_time_unix_nano - end_time_unix_nano == -2", {"end_time_unix_nano": 2}, True),
        ("end_time_unix_nano - start_time_unix_nano == true", {"end_time_unix_nano": 1}, False),
        ('kind == SPAN_KIND_SERVER and name == "a"', {"kind": 2, "name": "a"}, True),
        ("kind == 300", {"kind": 300}, True),
        ("status.code == 0", {}, True),
    ],
)
def test_plain_fields_have_their_values(
    condition: str,
    fields: dict[str, Any],
    goes: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    outcome = applied("traces", traces(Span(**fields)), rule("r", span=condition))

    assert outcome.account.removed == goes


@pytest.mark.parametrize(
    ("condition", "goes"),
    [
        ('attributes["a"] == attributes["b"]', True),
        ('attributes["a"] != attributes["c"]', True),
        ('attributes["c"] == attributes["d"]', True),
        ('attributes["a"] == name', False),
        ("attributes[name] == 1", False),
        ('Len(attributes["a"]) == 1 and attributes["a"] == "x"', True),
    ],
)
def test_several_slots_are_read_together(condition: str, goes: bool) -> None:  # noqa: FBT001 - a parameter of the test
    payload = traces(span(1, "n", a="x", b="x"))

    assert applied("traces", payload, rule("r", span=condition)).account.removed == goes


@pytest.mark.parametrize(
    ("condition", "goes"),
    [
        ('body == "text"', True),
        ('IsMatch(body, "ex") and severity_text == "INFO"', True),
        ("body == severity_text", False),
        ("severity_number == SEVERITY_NUMBER_INFO", True),
        ("time_unix_nano > 5", True),
        ('event_name == "e"', True),
        ("body == nil", False),
    ],
)
def test_plain_fields_of_logs_have_their_values(condition: str, goes: bool) -> None:  # noqa: FBT001 - a parameter of the test
    given = record("text")
    given.MergeFrom(LogRecord(severity_text="INFO", severity_number=9, event_name="e"))  # type: ignore[arg-type]

    assert applied("logs", logs(given), rule("r", log_record=condition)).account.removed == goes
