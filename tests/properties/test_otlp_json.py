"""JSON made of any export request becomes that request again; spoiled, it is refused or read."""

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.engines.otlp.otlp_json import protobuf_of
from reflexarc.engines.otlp.otlp_json_values import WrongJson
from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.random_otlp import REQUESTS, SIGNALS, otlp_json, random_request


@settings(max_examples=150, deadline=None)
@given(signal=st.sampled_from(SIGNALS), seed=st.integers(0, 1 << 32))
def test_json_says_what_protobuf_says(signal: OtlpSignal, seed: int) -> None:
    request = random_request(signal, seed)

    made = protobuf_of(otlp_json(request), signal)

    assert REQUESTS[signal].FromString(made) == request
    assert made == request.SerializeToString(deterministic=True)


_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1 << 70, 1.5, 1e300, "", "x", "-1", "1e5", "zz", "=", "\ud800"),
    *([], {}, [None], [[]], [1], {"key": 1}, {"stringValue": 1}, {"values": [{}]}),
)


def spoiled(held: Any, rng: random.Random, share: float) -> Any:
    """Return a document with some of its values, and names, replaced by others."""
    if rng.random() < share:
        return rng.choice(_ODD)
    if isinstance(held, list):
        return [spoiled(each, rng, share) for each in held]
    if not isinstance(held, dict):
        return held
    names = {name: rng.choice((*held, "x")) if rng.random() < share else name for name in held}
    return {names[name]: spoiled(each, rng, share) for name, each in held.items()}


def outcome(document: bytes, signal: OtlpSignal) -> bytes | WrongJson:
    try:
        return protobuf_of(document, signal)
    except WrongJson as wrong:
        return wrong


@settings(max_examples=300, deadline=None)
@given(signal=st.sampled_from(SIGNALS), seed=st.integers(0, 1 << 32))
def test_a_spoiled_document_is_refused_with_a_path_or_makes_a_readable_request(
    signal: OtlpSignal, seed: int
) -> None:
    rng = random.Random(seed)
    document = json.loads(otlp_json(random_request(signal, seed)))
    share = rng.choice((0.0005, 0.01, 0.1))
    spoil = {name: spoiled(each, rng, share) for name, each in document.items()}

    made = outcome(json.dumps(spoil).encode(), signal)

    if isinstance(made, WrongJson):
        assert made.path.startswith("resource")
    else:
        REQUESTS[signal].FromString(made)
