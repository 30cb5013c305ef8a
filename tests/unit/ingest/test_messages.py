import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.events.gpu_faults import GpuFaults
from reflexarc.ingest.messages import BODY_MAX, MESSAGES_MAX, Cut, cut, looked_at
from reflexarc.ingest.model import Entry, Refused, Result
from tests.support.incidents import NOW, ulid_of
from tests.unit.ingest.fakes import body, message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)
SPACE = st.text(" \t\r\n", max_size=3)


@given(st.lists(JSON, min_size=1), SPACE, SPACE)
def test_messages_come_out_byte_for_byte(values: list[Any], one: str, two: str) -> None:
    texts = [json.dumps(value, ensure_ascii=False) for value in values]
    document = (
        f'{one}{{{two}"of":{one}[1]{two},"messages"{one}:{two}[{one}'
        f"{f'{two},{one}'.join(texts)}{two}]{one}}}{two}"
    )

    assert [found.text for found in cut(document)] == texts
    assert [found.value for found in cut(document)] == values


def test_spacing_inside_a_message_is_kept() -> None:
    odd = '{ "schema" :\t"gpu_faults/1", "n": 1.0E+2, "u": "\\u00e4" }'

    (found,) = cut(body(odd).decode())

    assert found.text == odd


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[]", "not JSON"),
        ("{", "not JSON"),
        ("{}", "not JSON"),
        ('{"messages"}', "not JSON"),
        ('{"a":}', "not JSON"),
        ('{"messages":}', "must be a list"),
        ('{"messages":[{}}', "not JSON"),
        ('{"messages":[{},]}', "not JSON"),
        ('{"messages":[{}]', "not JSON"),
        ('{"messages":[{}]} {}', "not JSON"),
        ('{"messages":[{}],}', "not JSON"),
        ("{1:[{}]}", "a name was expected"),
        ('{"a":1}', "at least one message"),
        ('{"messages":[]}', "at least one message"),
        ('{"messages":{}}', "must be a list"),
        ('{"messages":"' + "x" * 100 + '"}', "must be a list"),
        ('{"messages":[{}],"messages":[{}]}', "twice"),
        ('{"messages":[],"messages":[{}]}', "twice"),
        ('{"messages":[' + "9" * 5_000 + "]}", "not JSON"),
        ('{"messages":[' + "[" * 1_000_000, "too deeply"),
        ('{"a":' + '{"a":' * 1_000_000, "too deeply"),
    ],
)
def test_another_form_is_refused_with_words(text: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as refused:
        cut(text)

    assert refused.value.status == 400
    assert len(str(refused.value)) < 300


def test_ten_thousand_messages_are_refused_at_once() -> None:
    assert len(cut(body(*["{}"] * MESSAGES_MAX).decode())) == MESSAGES_MAX

    begun = time.perf_counter()
    with pytest.raises(Refused, match="fewer") as refused:
        cut(body(*["{}"] * 10_000).decode())
    assert refused.value.status == 413
    assert time.perf_counter() - begun < 1


def look(text: str) -> Entry | Result:
    return looked_at(Cut(json.loads(text), text), 3)


@pytest.mark.parametrize(
    ("schema", "lane"),
    [
        ("gpu_faults/1", "faults"),
        ("gpu_faults/2", "faults"),
        ("gpu_readings/1", "readings"),
    ],
)
def test_the_name_of_the_schema_says_where_to(schema: str, lane: str) -> None:
    text = message(1, schema=schema)

    entry = look(text)

    assert isinstance(entry, Entry)
    assert (entry.lane, entry.index, entry.id, entry.node) == (lane, 3, ulid_of(1), "node-7")
    assert entry.body is text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1", "JSON object"),
        ("[]", "JSON object"),
        ('"gpu_faults/1"', "JSON object"),
        (message(schema="signal/1"), "schema"),
        (message(schema="canary/1"), "schema"),
        (message(schema="gpu_faults"), "schema"),
        (message(schema="gpu_faults/"), "schema"),
        (message(schema="GPU_FAULTS/1"), "schema"),
        (message(schema=["gpu_faults/1"]), "schema"),
        (message(schema=None), "schema"),
        (message(id="1"), "ULID"),
        (message(id=f"{ulid_of(1)}\n"), "ULID"),
        (message(id=None), "ULID"),
        (message(node=""), "source.node"),
        (message(node=None), "source.node"),
        (message(node=["node-7"]), "source.node"),
        (message(node="n" * 254), "source.node"),
        (message(node="\ud800"), "source.node"),
        (message(source="node-7"), "source.node"),
        (message(source=None, node_name="node-7"), "source.node"),
        (message(text="x" * BODY_MAX), "bytes"),
        (message().replace("node-7", "node-\uffff"), "escape"),
    ],
)
def test_a_message_that_cannot_pass_is_told_why(text: str, says: str) -> None:
    found = look(text)

    assert isinstance(found, Result)
    assert found.status == "rejected"
    assert says in found.reason


def test_size_is_counted_in_bytes() -> None:
    text = json.dumps(json.loads(message(text="\u20ac" * (BODY_MAX // 3))), ensure_ascii=False)
    assert len(text) < BODY_MAX

    found = look(text)

    assert isinstance(found, Result)
    assert "bytes" in found.reason


def test_an_id_is_told_back_only_where_it_is_one() -> None:
    hostile = look(message(id='"><script>', schema="x/1"))
    good = look(message(1, schema="x/1"))

    assert isinstance(hostile, Result)
    assert isinstance(good, Result)
    assert (hostile.id, good.id) == ("", ulid_of(1))


def test_a_node_that_is_named_twice_is_the_one_that_gpu_alert_will_read() -> None:
    fault = {"line": "NVRM: Xid", "observed_at": NOW.isoformat()}
    text = message(1, sent_at=NOW.isoformat(), faults=[fault]).replace(
        '"source": {"node": "node-7"}',
        '"source": {"node": "a", "node": "b"}, "source": {"node": "c", "node": "d"}',
    )

    entry = look(text)

    assert isinstance(entry, Entry)
    assert entry.node == GpuFaults.model_validate_json(text).source.node == "d"
