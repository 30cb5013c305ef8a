"""Conditions over slots read the values that stand in them."""

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from reflexarc.engines.ottl.compile import compile_condition
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.fragments import slots_of
from reflexarc.telemetry.plan.slot_paths import SlotPaths, is_any, value_of
from reflexarc.telemetry.plan.slots import ITEM_CONTEXT, Attribute, Header


def holds(text: str, *values: object, signal: OtlpSignal = "traces") -> bool:
    """Judge a condition by the values of its slots, in the order in which it names them."""
    condition = parse(text, ITEM_CONTEXT[signal])
    paths = SlotPaths(signal, slots_of(condition, signal))
    assert paths.parameters == tuple(f"slot{n}" for n in range(len(values)))
    return bool(compile_condition(condition, paths).holds(*values))


def test_arguments_stand_for_slots() -> None:
    assert holds('name == "a"', "a")
    assert holds('attributes["x"] == 5', 5)
    assert not holds('attributes["x"] == 5', "5")
    assert holds('attributes["x"] == nil', None)
    assert holds('kind == 2 and name == attributes["x"] or kind == 3', 3, "", None)
    assert holds('attributes["x"] == attributes["y"] and attributes["x"] != 1', 2, 2)


def test_further_keys_lead_into_a_body() -> None:
    assert holds('body["a"]["b"] == 1', {"a": {"b": 1}}, signal="logs")
    assert holds('body["a"] == nil', {}, signal="logs")
    assert holds("body[severity_text] == 1", {"a": 1}, "a", signal="logs")
    with pytest.raises(EvaluationError):
        holds('body["a"] == 1', "text", signal="logs")


def test_a_raw_form_has_a_value() -> None:
    raw = AnyValue(string_value="a").SerializeToString()

    assert value_of(raw, Attribute("x"), "traces") == "a"
    assert value_of(None, Attribute("x"), "traces") is None
    assert value_of(b"", Attribute("x"), "traces") is None
    assert value_of(raw, Header("body"), "logs") == "a"
    assert value_of(b"name", Header("name"), "traces") == "name"
    assert value_of(2**64 - 1, Header("start_time_unix_nano"), "traces") == -1
    assert value_of(2, Header("kind"), "traces") == 2


def test_attributes_and_bodies_hold_anything() -> None:
    slots = (Attribute("x"), Header("body"), Header("name"))

    assert [is_any(slot) for slot in slots] == [True, True, False]
