"""What the converters give; most answers are those of the Collector's own tests."""

import re
import uuid

import pytest

from reflexarc.engines.ottl.functions import REFUSED, TOPIC_OF, find
from reflexarc.engines.ottl.syntax import OttlError
from reflexarc.engines.ottl.values import EvaluationError
from tests.support.ottl import conditions, judge

LOG = {
    "body": "operationA",
    "time": 1_581_452_772_000_000_321,
    "trace_id": "0102030405060708090a0b0c0d0e0f10",
    "attributes": {
        "text": "some text",
        "int": 5,
        "float": 1.5,
        "true": True,
        "list": ["a", "b"],
        "map": {"b": "x y", "a": 1},
        "maps": [{"k": "x", "v": {"w": 1}}, {"k": "y", "v": {"w": 2}}],
        "pattern": "^some",
        "bad": "(",
        "unnamed": ".*",
        "named": "(?P<first>\\w+)",
        "empty": "",
        "cidr": "10.0.0.0/8",
        "grok": "%{WORD:first}",
        "base": "base64",
        "huge": "1e999",
    },
}


@pytest.mark.parametrize("text", conditions("converters"))
def test_converters_give_what_the_collector_gives(text: str) -> None:
    assert judge(text, log=LOG)


@pytest.mark.parametrize("text", conditions("converters_that_fail"))
def test_a_converter_that_cannot_tell_is_an_error_of_the_item(text: str) -> None:
    with pytest.raises(EvaluationError):
        judge(text, log=LOG)


REFUSE = [
    ('HasPrefix(1, "a")', 11, "expected string but got int"),
    ('HasPrefix("a")', 1, "takes 2 arguments, not 1"),
    ('Trim("a", "b", "c") == ""', 1, "takes 1 to 2 arguments, not 3"),
    ('Trim("a", body) == ""', 11, "must be a text written out"),
    ('Trim(nonsense="a") == ""', 1, "has no parameter nonsense"),
    ('Substring("a", length=1, 2) == ""', 1, "without a name behind a named"),
    ('Substring("a", 1, start=2) == ""', 1, "needs length"),
    ('Concat("a", "b") == ""', 8, "must be a list written out"),
    ('HasPrefix("a", SHA256)', 16, "takes no function"),
    ("Nonsense()", 1, "there is no converter Nonsense"),
    ("UserAgent(body) == {}", 1, "UserAgent needs the tables"),
    ('GetXML(body, "/a") == ""', 1, "edits XML by XPath"),
    ('Any(body, "x")', 1, "function written in place"),
    ("IsRootSpan()", 1, "exists in context span only"),
    ('IsMatch(body, "\\\\K")', 15, "invalid escape sequence"),
    ('IsMatch(body, "(?=a)")', 15, "pattern '(?=a)'"),
    ('ExtractPatterns(body, "(") == {}', 23, "missing )"),
    ('ExtractGrokPatterns(body, "%{NOPE}") == {}', 27, "there is no pattern NOPE"),
    ('ExtractGrokPatterns(body, "(.*)", true) == {}', 27, "names no group"),
    ('ExtractGrokPatterns(body, "%{A}", true, ["A=%{A}"]) == {}', 27, "refers to itself"),
    ('ExtractGrokPatterns(body, "%{A}", true, ["A=%{A}%{A}"]) == {}', 27, "or is too long"),
    ('ExtractGrokPatterns(body, "%{WORD}", true, ["A:B=x"]) == {}', 27, "the form NAME=pattern"),
    ('ExtractGrokPatterns(body, "%{WORD}", true, ["A"]) == {}', 27, "the form NAME=pattern"),
    ('ConvertCase(body, "title") == ""', 19, "'title' is no case"),
    ('Sort([1], "up") == []', 11, "is no order"),
    ('ParseKeyValue(body, "") == {}', 21, "cannot be empty"),
    ('ParseKeyValue(body, "=", "=") == {}', 21, "cannot be the same"),
    ('ToKeyValueString({}, " ") == ""', 22, "cannot be the same"),
    ('ParseCSV(body, "a", ";;") == {}', 21, "one character"),
    ('ParseCSV(body, "a", mode="x") == {}', 26, "is no mode"),
    ('Decode(body, "GB2312") == ""', 14, "is no encoding"),
    ('IsInCIDR(body, ["10.0.0.0"])', 16, "is no CIDR"),
    ('IsInCIDR(body, ["10.0.0.0/99"])', 16, "is no CIDR"),
    ("TraceID(0x01) == trace_id", 9, "takes 16 bytes"),
    ('SpanID("xxxxxxxxxxxxxxxx") == span_id', 8, "no hexadecimal digits"),
    ('Format("%*d", [1]) == ""', 8, "not supported"),
    ('Format("%[1]d", [1]) == ""', 8, "not supported"),
    ('Format("%9999d", [1]) == ""', 8, "a width above"),
    ('Time("x", "") == time', 11, "cannot be empty"),
    ('Time("x", "%Q") == time', 11, "%Q is no directive"),
    ('Time("x", "%F", "Jupiter/Ganymede") == time', 11, "is no time zone"),
    ('Time("x", "%F", "", "it") == time', 11, "in English, not in 'it'"),
    ('FormatTime(time, "%Q") == ""', 18, "%Q is no directive"),
]


@pytest.mark.parametrize(("text", "column", "reason"), REFUSE)
def test_a_call_that_makes_no_sense_is_refused_at_its_column(
    text: str, column: int, reason: str
) -> None:
    with pytest.raises(OttlError) as refused:
        judge(text)

    assert reason in refused.value.reason
    assert refused.value.column == column


def test_named_arguments_may_be_written_as_the_collector_names_them() -> None:
    assert judge('Base64Encode(variant="base64-raw", target="a") == "YQ"')
    assert judge('ToKeyValueString({"a": 1}, pairDelimiter=",") == "a=1"')


def test_every_name_has_a_converter_and_no_other_has() -> None:
    for name in TOPIC_OF:
        found = find(name)
        assert found is not None
        assert found.name == name
    assert find("Nonsense") is None
    assert not set(TOPIC_OF) & set(REFUSED)


def test_ids_out_of_nothing_are_uuids_and_differ() -> None:
    for name, version in (("UUID", 4), ("UUIDv7", 7)):
        converter = find(name)
        assert converter is not None

        one, other = str(converter.function()), str(converter.function())

        assert uuid.UUID(one).version == version
        assert re.fullmatch(r"[0-9a-f-]{36}", one)
        assert one != other


def test_a_random_value_is_made_anew_for_each_item() -> None:
    assert judge("UUID() != UUID()")
    assert judge('Now() - Now() < Duration("1h") and Now() > Time("2020-01-01", "%F")')
