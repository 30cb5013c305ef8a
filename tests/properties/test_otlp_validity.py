"""The cheap look at a request sees what the plain schema sees, whatever was done to its bytes."""

import random
from collections.abc import Iterator

from google.protobuf.message import DecodeError, Message
from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.engines.otlp.outlines import IDS, everything
from reflexarc.engines.otlp.validity import judged
from reflexarc.engines.otlp.verdicts import NotOtlp, Verdict
from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.random_otlp import REQUESTS, SIGNALS, random_request

_signals = st.sampled_from(SIGNALS)
_seeds = st.integers(0, 1 << 32)


def damaged(signal: OtlpSignal, seed: int) -> bytes:
    """Return a request with a few bytes changed, lost or added; sometimes none."""
    rng = random.Random(seed)
    data = bytearray(random_request(signal, seed).SerializeToString())
    for _ in range(rng.choice((0, 1, 1, 2, 8))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[at : at + 1] = rng.randbytes(1)
            case 1:
                del data[at : at + rng.choice((1, 2, 9))]
            case 2:
                data[at:at] = rng.randbytes(rng.choice((1, 3)))
            case _:
                # A whole field of an unknown number, or of a known one with another type.
                data[at:at] = bytes((rng.choice((0x78, 0x08, 0x10)), rng.randrange(128)))
    return bytes(data)


def parsed(signal: OtlpSignal, data: bytes) -> Message | None:
    try:
        return REQUESTS[signal].FromString(data)
    except DecodeError:
        return None


def looked_at(signal: OtlpSignal, data: bytes) -> Verdict | None:
    try:
        return judged(data, signal)
    except NotOtlp:
        return None


def ids_in(message: Message) -> Iterator[tuple[str, bytes]]:
    for field, value in message.ListFields():
        if field.name in IDS:
            yield field.name, value
        elif field.message_type is not None:
            for each in value if field.is_repeated else [value]:
                yield from ids_in(each)


@settings(max_examples=400, deadline=None)
@given(signal=_signals, seed=_seeds)
def test_what_goes_through_everything_refuses_what_the_plain_schema_refuses(
    signal: OtlpSignal, seed: int
) -> None:
    data = damaged(signal, seed)

    try:
        everything(signal)(data)
    except DecodeError:
        assert parsed(signal, data) is None
    else:
        assert parsed(signal, data) is not None


@settings(max_examples=400, deadline=None)
@given(signal=_signals, seed=_seeds)
def test_what_goes_on_can_be_read_and_has_no_wrong_ids(signal: OtlpSignal, seed: int) -> None:
    verdict = looked_at(signal, damaged(signal, seed))

    if verdict is not None:
        message = parsed(signal, verdict.payload)
        assert message is not None
        assert all(len(each) == IDS[name] for name, each in ids_in(message))
        again = judged(verdict.payload, signal)
        assert (again.payload, again.items, again.said) == (verdict.payload, verdict.items, "")


@settings(max_examples=200, deadline=None)
@given(signal=_signals, seed=_seeds)
def test_what_a_plain_reader_would_take_whole_goes_on_whole(signal: OtlpSignal, seed: int) -> None:
    data = damaged(signal, seed)
    message = parsed(signal, data)

    verdict = looked_at(signal, data)

    if message is not None and verdict is not None and not verdict.said:
        assert verdict.payload is data
    if message is None and verdict is not None:
        assert verdict.said
        assert len(verdict.payload) < len(data)
