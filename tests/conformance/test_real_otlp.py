"""What real instrumentations exported goes through untouched, and is the same in JSON."""

import os
from pathlib import Path

import pytest

from reflexarc.engines.otlp.otlp_json import protobuf_of
from reflexarc.engines.otlp.validity import judged
from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.random_otlp import REQUESTS, SIGNALS, otlp_json

ROOT = Path(__file__).parents[2]
CASES = Path(
    os.environ.get("REFLEXARC_CASES", ROOT / "../shared/data")  # noqa: TID251 - where cases lie
)
FILES = sorted((CASES / "real_spans").glob("*.pb"))
needs_cases = pytest.mark.skipif(
    not FILES, reason=f"no requests in {CASES / 'real_spans'}: set REFLEXARC_CASES"
)


def signal_of(path: Path) -> OtlpSignal:
    (found,) = [signal for signal in SIGNALS if f".{signal}." in path.name]
    return found


@needs_cases
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_request_goes_on_as_the_bytes_that_came(path: Path) -> None:
    data = path.read_bytes()

    verdict = judged(data, signal_of(path))

    assert verdict.payload is data
    assert verdict.items > 0
    assert verdict.said == ""


@needs_cases
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_request_in_json_is_the_same_request(path: Path) -> None:
    signal = signal_of(path)
    request = REQUESTS[signal].FromString(path.read_bytes())

    made = protobuf_of(otlp_json(request), signal)

    assert REQUESTS[signal].FromString(made) == request
