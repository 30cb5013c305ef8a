"""Which paths read a place of an item that is read without decoding the item."""

import pytest

from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.syntax import Compare, Path
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.slots import (
    ITEM_CONTEXT,
    TEXT_TAGS,
    Attribute,
    Header,
    Slot,
    indexes_into,
    is_number,
    slot_of,
)
from tests.support.otlp_conditions import PLAIN


def slot(text: str, signal: OtlpSignal = "traces") -> Slot | None:
    condition = parse(f"{text} == nil", ITEM_CONTEXT[signal])
    assert isinstance(condition, Compare)
    assert isinstance(condition.left, Path)
    return slot_of(condition.left, signal)


@pytest.mark.parametrize(
    ("text", "signal", "expected"),
    [
        ('attributes["tenant"]', "traces", Attribute("tenant")),
        ('span.attributes[""]', "traces", Attribute("")),
        ('log.attributes["tenant"]', "logs", Attribute("tenant")),
        ("name", "traces", Header("name")),
        ("status.code", "traces", Header("status.code")),
        ("end_time_unix_nano", "traces", Header("end_time_unix_nano")),
        ("metric.unit", "metrics", Header("unit")),
        ("severity_number", "logs", Header("severity_number")),
        ("body", "logs", Header("body")),
    ],
)
def test_a_path_to_a_plain_place_is_a_slot(text: str, signal: OtlpSignal, expected: Slot) -> None:
    assert slot(text, signal) == expected


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("attributes", "traces"),
        ('attributes["a"]["b"]', "traces"),
        ("attributes[0]", "traces"),
        ("attributes[name]", "traces"),
        ('resource.attributes["tenant"]', "traces"),
        ("scope.name", "logs"),
        ("status.message", "traces"),
        ("trace_id", "traces"),
        ("events", "traces"),
        ("body.string", "logs"),
        ("data_points", "metrics"),
        ('metadata["a"]', "metrics"),
    ],
)
def test_a_path_to_anything_else_is_none(text: str, signal: OtlpSignal) -> None:
    assert slot(text, signal) is None


def test_keys_behind_those_that_say_which_slot_lead_into_its_value() -> None:
    assert indexes_into(Attribute("tenant")) == 1
    assert indexes_into(Header("body")) == 0


def test_numbers_are_told_from_texts() -> None:
    numbers = {
        name for name in ("kind", "name", "status.code") if is_number(Header(name), "traces")
    }

    assert numbers == {"kind", "status.code"}
    assert not is_number(Attribute("kind"), "traces")
    assert not is_number(Header("kind"), "logs")


def test_tags_are_those_of_the_plain_schema() -> None:
    for signal, tags in TEXT_TAGS.items():
        for name, tag in tags.items():
            item = PLAIN[signal](bytes([tag, 4]) + b"text")

            assert getattr(item, name) == "text"
