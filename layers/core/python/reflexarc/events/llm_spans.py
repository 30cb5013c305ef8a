"""llm_spans/1: spans of calls to language models, byte for byte as the sender wrote them.

The payload is an export request in protobuf that holds these spans alone, under their own resources
and scopes; or the log records in which some instrumentations put what was said. It was redacted,
and no rule took any of them away.
"""

from typing import Literal

from pydantic import AwareDatetime, Field

from reflexarc.events.packed import Packed


class LlmSpans(Packed):
    """The LLM spans of one batch, or its log records of LLM calls, or a part of them."""

    schema_: Literal["llm_spans/1"] = Field(default="llm_spans/1", alias="schema")
    received_at: AwareDatetime = Field(description="when the batch came into the account")
    signal: Literal["traces", "logs"] = "traces"
    items: int = Field(ge=1, description="spans or log records")
