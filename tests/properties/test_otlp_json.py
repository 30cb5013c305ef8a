"""JSON made of any export request becomes that request again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.engines.otlp.otlp_json import protobuf_of
from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.random_otlp import REQUESTS, SIGNALS, otlp_json, random_request


@settings(max_examples=150, deadline=None)
@given(signal=st.sampled_from(SIGNALS), seed=st.integers(0, 1 << 32))
def test_json_says_what_protobuf_says(signal: OtlpSignal, seed: int) -> None:
    request = random_request(signal, seed)

    made = protobuf_of(otlp_json(request), signal)

    assert REQUESTS[signal].FromString(made) == request
    assert made == request.SerializeToString(deterministic=True)
