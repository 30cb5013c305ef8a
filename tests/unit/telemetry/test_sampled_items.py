"""What is sampled says by how much, and says so to whoever samples it next."""

import random
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.otlp.shadow import headers
from reflexarc.engines.otlp.wire import field_of
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.sampled_items import KEPT, sampled
from reflexarc.telemetry.sampling import (
    WHOLE,
    adjusted_count,
    read_trace_state,
    threshold_from,
    threshold_of,
)
from tests.support.otlp_conditions import PLAIN, plain_map
from tests.support.otlp_items import ItemWriter

HALF, QUARTER = 1 << 55, 3 << 54
# Whose randomness every threshold keeps, and none but zero.
LUCKY, LUCKLESS = b"t" * 9 + b"\xff" * 7, b"t" * 9 + b"\0" * 7
SAMPLED: tuple[OtlpSignal, ...] = ("traces", "logs")


def fields_of(item: bytes, signal: OtlpSignal) -> Any:
    """Return the plain fields of an item, as the rules read them."""
    names = {"trace_id"} | ({"trace_state"} if signal == "traces" else set())
    request = item
    for number in (2, 2, 1):
        request = b"".join(field_of(number, request))
    return headers(signal, frozenset(names))(request).x[0].x[0].x[0]


def sample(item: bytes, threshold: int, signal: OtlpSignal = "traces") -> bytes | None:
    """Return the item as it is sent on, None where it goes."""
    left = sampled(signal, item, fields_of(item, signal), threshold)
    return item if left == KEPT and left is not None else left


def span(trace_state: str = "", trace_id: bytes = LUCKY, **fields: Any) -> bytes:
    return Span(trace_id=trace_id, trace_state=trace_state, **fields).SerializeToString()


def record(trace_id: bytes = LUCKY, **attributes: str | int) -> bytes:
    pairs = [
        KeyValue(key=key.replace("_", "."), value=_any(value)) for key, value in attributes.items()
    ]
    return LogRecord(trace_id=trace_id, severity_text="INFO", attributes=pairs).SerializeToString()


def _any(value: str | int) -> AnyValue:
    return AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value)


def state_of(item: bytes | None) -> str:
    return str(Span.FromString(item or b"").trace_state)


def marks_of(item: bytes | None) -> dict[str, Any]:
    return plain_map(LogRecord.FromString(item or b"").attributes)


def threshold_said(item: bytes, signal: OtlpSignal) -> int | None:
    if signal == "traces":
        return read_trace_state(state_of(item)).threshold
    said = marks_of(item).get("sampling.threshold")
    return threshold_from(said) if isinstance(said, str) else None


# Spans


def test_a_span_below_the_threshold_goes() -> None:
    assert sample(span(trace_id=LUCKLESS), 1) is None
    assert sample(span(trace_id=LUCKLESS), 0) is not None


def test_a_span_that_stays_says_the_threshold_and_is_otherwise_as_it_came() -> None:
    item = span(name="chat", attributes=[KeyValue(key="a", value=AnyValue(int_value=5))])

    kept = sample(item, HALF)

    assert state_of(kept) == "ot=th:8"
    assert kept == item + b"\x1a\x07ot=th:8"


def test_a_threshold_is_raised_and_all_else_of_the_tracestate_stays() -> None:
    kept = sample(span("vendor=1,ot=th:4;rv:fffffffffffff0;a:b,other=2"), QUARTER)

    assert state_of(kept) == "ot=th:c;rv:fffffffffffff0;a:b,vendor=1,other=2"


@pytest.mark.parametrize("said", ["ot=th:c", "ot=th:8", "x=1,ot=a:b;th:8000000000001"])
def test_a_threshold_that_is_as_high_is_never_lowered(said: str) -> None:
    item = span(said, trace_id=LUCKLESS)

    assert sampled("traces", item, fields_of(item, "traces"), HALF) == KEPT


def test_randomness_that_a_span_says_decides() -> None:
    assert sample(span("ot=rv:7fffffffffffff"), HALF) is None
    assert state_of(sample(span("ot=rv:80000000000000", LUCKLESS), HALF)) == (
        "ot=th:8;rv:80000000000000"
    )


def test_a_threshold_or_randomness_that_is_none_does_not_count() -> None:
    assert state_of(sample(span("ot=th:x;rv:123,v=1"), HALF)) == "ot=th:8,v=1"


def test_a_tracestate_written_twice_is_written_once() -> None:
    item = span("ot=th:4") + b"".join(field_of(3, b"ot=th:5,v=1"))

    kept = sample(item, HALF)

    assert state_of(kept) == "ot=th:8,v=1"
    assert (kept or b"").count(b"ot=") == 1


def test_bytes_that_are_no_text_stay_in_a_tracestate() -> None:
    item = span() + b"".join(field_of(3, b"v=\xff\x80,ot=th:4"))

    kept = sample(item, HALF)

    assert kept == span() + b"".join(field_of(3, b"ot=th:8,v=\xff\x80"))


def test_a_span_without_a_trace_says_the_randomness_that_was_drawn_for_it() -> None:
    kept = sampled_until_kept("traces", bytes(16))
    state = read_trace_state(state_of(kept))

    assert state.randomness is not None
    assert state.randomness >= HALF
    # Whoever samples it next has the same randomness, though its bytes are others by now.
    assert sample(kept, state.randomness) is not None
    assert sample(kept, state.randomness + 1) is None


def sampled_until_kept(signal: OtlpSignal, trace_id: bytes) -> bytes:
    for number in range(64):
        item = (
            span(trace_id=trace_id, name=f"{number}")
            if signal == "traces"
            else record(trace_id, n=number)
        )
        if kept := sample(item, HALF, signal):
            return kept
    raise AssertionError(signal)


# Log records


def test_a_log_record_says_threshold_and_randomness_in_attributes() -> None:
    item = record(user="u")

    kept = sample(item, HALF, "logs")

    assert marks_of(kept) == {
        "user": "u",
        "sampling.threshold": "8",
        "sampling.randomness": "ffffffffffffff",
    }
    assert (kept or b"").startswith(item)
    assert sample(record(LUCKLESS), HALF, "logs") is None


def test_what_a_log_record_said_of_sampling_is_replaced() -> None:
    item = record(
        sampling_threshold="4", user="u", sampling_randomness="f0000000000000", sampling_other="x"
    )

    kept = sample(item, HALF, "logs")

    assert [
        (pair.key, pair.value.string_value) for pair in LogRecord.FromString(kept or b"").attributes
    ] == [
        ("user", "u"),
        ("sampling.other", "x"),
        ("sampling.threshold", "8"),
        ("sampling.randomness", "f0000000000000"),
    ]


def test_a_log_records_threshold_that_is_as_high_is_never_lowered() -> None:
    for said in ("8", "c"):
        item = record(LUCKLESS, sampling_threshold=said)

        assert sampled("logs", item, fields_of(item, "logs"), HALF) == KEPT


def test_randomness_that_a_log_record_says_decides() -> None:
    assert sample(record(sampling_randomness="7fffffffffffff"), HALF, "logs") is None
    assert sample(record(LUCKLESS, sampling_randomness="80000000000000"), HALF, "logs")


def test_of_two_thresholds_of_a_log_record_the_first_counts() -> None:
    first, second = (record(sampling_threshold=text) for text in ("c", "4"))

    assert sample(first + second, HALF, "logs") == first + second
    assert marks_of(sample(second + first, HALF, "logs"))["sampling.threshold"] == "8"


@pytest.mark.parametrize("said", [5, "", "x", "80000000000000000"])
def test_what_a_log_record_says_that_is_no_threshold_does_not_count(said: str | int) -> None:
    kept = sample(record(sampling_threshold=said, sampling_randomness=said), HALF, "logs")

    assert marks_of(kept) == {
        "sampling.threshold": "8",
        "sampling.randomness": "ffffffffffffff",
    }


def test_a_log_record_that_only_mentions_sampling_says_nothing_of_it() -> None:
    item = LogRecord(trace_id=LUCKLESS, body=AnyValue(string_value="sampling.threshold"))

    assert sample(item.SerializeToString(), HALF, "logs") is None


def test_a_log_record_whose_attributes_cannot_be_read_stays() -> None:
    item = record(LUCKLESS) + b"".join(field_of(6, b"\x0a\x12sampling.threshold\x12\x02\x0a\x05"))

    assert sampled("logs", item, SimpleNamespace(trace_id=LUCKLESS), HALF) == KEPT


# Both


@pytest.mark.parametrize("signal", SAMPLED)
def test_all_of_a_trace_is_kept_or_goes_whatever_it_holds(signal: OtlpSignal) -> None:
    writer = ItemWriter(1, odd=0)
    for _ in range(100):
        trace_id = writer.rng.randbytes(16)
        bare = b"".join(field_of({"traces": 1, "logs": 9}[signal], trace_id))
        items = [bare, bare + b"".join(field_of({"traces": 5, "logs": 12}[signal], b"name"))]

        decided = {sample(item, HALF, signal) is None for item in items}

        assert len(decided) == 1
        assert decided == {int.from_bytes(trace_id[-7:], "big") < HALF}


def test_a_span_and_a_log_record_of_one_trace_are_kept_or_go_together() -> None:
    rng = random.Random(2)
    for _ in range(100):
        trace_id = rng.randbytes(16)

        kept = [sample(span(trace_id=trace_id), HALF), sample(record(trace_id), HALF, "logs")]

        assert (kept[0] is None) == (kept[1] is None)


@pytest.mark.parametrize("signal", SAMPLED)
@pytest.mark.parametrize("odd", [0, 0.3, 1])
def test_an_item_of_any_form_keeps_all_but_what_is_said_of_sampling(
    signal: OtlpSignal, odd: float
) -> None:
    writer = ItemWriter(3, odd=odd)
    raised = 0
    for _ in range(150):
        item = writer.item(signal)
        before = threshold_said(item, signal)

        kept = sample(item, HALF, signal)

        if kept is None:
            continue
        after = threshold_said(kept, signal)
        assert after is not None
        assert after == max(HALF, before or 0)
        assert _without_marks(kept, signal) == _without_marks(item, signal)
        assert sample(kept, HALF, signal) == kept
        raised += kept != item

    assert raised > 40


def _without_marks(item: bytes, signal: OtlpSignal) -> bytes:
    plain = PLAIN[signal](item)
    if signal == "traces":
        plain.ClearField("trace_state")
    else:
        others = [each for each in plain.attributes if not each.key.startswith("sampling.")]
        del plain.attributes[:]
        plain.attributes.extend(others)
    return bytes(plain.SerializeToString(deterministic=True))


@pytest.mark.parametrize("signal", SAMPLED)
@pytest.mark.parametrize("trace", [True, False])
def test_two_samplers_in_a_row_leave_an_unbiased_count(signal: OtlpSignal, *, trace: bool) -> None:
    """What is kept stands for all that came, whether the first or the second keeps fewer."""
    rng = random.Random(5)
    total = 3_000
    for shares in ((0.5, 0.2), (0.2, 0.5), (0.3, 0.3)):
        estimate = 0.0
        for number in range(total):
            trace_id = rng.randbytes(16) if trace else b""
            item: bytes | None = (
                span(trace_id=trace_id, name=f"{number}")
                if signal == "traces"
                else record(trace_id, n=number)
            )
            for share in shares:
                item = item and sample(item, threshold_of(share), signal)
            if item:
                estimate += adjusted_count(threshold_said(item, signal) or 0)

        # Five standard deviations of a binomial share.
        assert abs(estimate - total) < 5 * (total * (1 - min(shares)) / min(shares)) ** 0.5


def test_thresholds_of_tests_are_what_they_are_called() -> None:
    assert adjusted_count(HALF) == 2
    assert adjusted_count(QUARTER) == 4
    assert WHOLE == HALF * 2
