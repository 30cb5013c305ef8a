"""Exports of real instrumentations, in all conventions."""

import os
from pathlib import Path

import pytest

from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import RedactionPolicy
from reflexarc.events.otlp_batch import OtlpSignal

ROOT = Path(__file__).parents[4]
CASES = Path(
    os.environ.get("REFLEXARC_CASES", ROOT / "../shared/data")  # noqa: TID251 - where cases lie
)
EXPORTS = sorted((CASES / "real_spans").glob("*.pb"))
needs_exports = pytest.mark.skipif(not EXPORTS, reason=f"no exports at {CASES}/real_spans")

PLAIN = Redactor(RedactionPolicy())


@needs_exports
@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.name)
def test_real_exports_leave_as_they_came(export: Path) -> None:
    came = export.read_bytes()
    signal: OtlpSignal = "logs" if ".logs." in export.name else "traces"

    result = PLAIN.apply(signal, came)

    assert result.payload is came


@needs_exports
@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.name)
def test_no_word_of_a_conversation_is_left_where_content_is_removed(export: Path) -> None:
    signal: OtlpSignal = "logs" if ".logs." in export.name else "traces"

    result = Redactor(RedactionPolicy(content="remove")).apply(signal, export.read_bytes())

    for words in (b"Eiffel", b"capital of France", b"weather in", b"upstream timeout", b"21C"):
        assert words not in result.payload


@needs_exports
@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.name)
def test_what_is_said_in_a_real_conversation_is_found(export: Path) -> None:
    signal: OtlpSignal = "logs" if ".logs." in export.name else "traces"
    came = export.read_bytes()
    # Of the same length, so that the request stays one: what people say becomes an address.
    mailed = came.replace(b"Eiffel Tower", b"bob@host.com").replace(b"weather in", b"ann@ab.com")

    result = PLAIN.apply(signal, mailed)

    assert b"bob@host.com" not in result.payload
    assert b"ann@ab.com" not in result.payload
    assert result.counts.get("email", 0) == mailed.count(b"bob@host.com") + mailed.count(
        b"ann@ab.com"
    )
