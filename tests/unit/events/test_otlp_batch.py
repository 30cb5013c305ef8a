"""A batch says where its payload is, once."""

from typing import Any

import pytest
from pydantic import ValidationError

from reflexarc.events.otlp_batch import OtlpBatch

POINTER = {"bucket": "b", "key": "otlp/a", "size": 5, "sha256": "0" * 64}
BATCH: dict[str, Any] = {
    "schema": "otlp/1",
    "id": "01JD0000000000000000000000",
    "sent_at": "2026-11-24T03:12:07Z",
    "source": {"node": "gateway-1"},
    "signal": "traces",
    "received_at": "2026-11-24T03:12:07Z",
}


def test_a_payload_or_a_pointer_is_taken() -> None:
    inside = OtlpBatch.model_validate(BATCH | {"payload": "AAAA"})
    outside = OtlpBatch.model_validate(BATCH | {"pointer": POINTER, "encoding": "gzip"})

    assert (inside.payload, inside.pointer, inside.encoding) == ("AAAA", None, "zstd")
    assert outside.pointer is not None
    assert (outside.pointer.key, outside.encoding) == ("otlp/a", "gzip")


@pytest.mark.parametrize("both", [{}, {"payload": "AAAA", "pointer": POINTER}])
def test_neither_and_both_are_refused(both: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either payload or pointer, and one of them"):
        OtlpBatch.model_validate(BATCH | both)


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        ("signal", {"signal": "profiles"}),
        ("encoding", {"encoding": "snappy"}),
        ("schema", {"schema": "otlp/2"}),
        ("received_at", {"received_at": "2026-11-24T03:12:07"}),
        ("pointer.size", {"payload": None, "pointer": POINTER | {"size": -1}}),
        ("pointer.sha256", {"payload": None, "pointer": POINTER | {"sha256": "0" * 63}}),
        ("pointer.key", {"payload": None, "pointer": POINTER | {"key": ""}}),
    ],
)
def test_what_is_no_batch_is_refused(where: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        OtlpBatch.model_validate(BATCH | {"payload": "AAAA"} | wrong)

    assert [".".join(map(str, each["loc"])) for each in caught.value.errors()] == [where]
