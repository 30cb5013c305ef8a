"""Names of attributes: which hold what must not leave, and which hold what people and models said.

Names are compared without regard to case. `*` stands for any characters, `?` for one.
"""

from collections.abc import Iterable

import re2

from reflexarc.engines.redact.linear import compile_bytes

# What HTTP, databases and frameworks put credentials into. A header is `http.request.header.<name>`
# (https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/), lower-case, with hyphens,
# or underscores in older SDKs; instrumentations without conventions use the bare name.
SECRET_NAMES = (
    *("password", "*.password", "*_password", "passwd", "*.passwd", "passphrase", "*.passphrase"),
    *("secret", "*.secret", "*_secret", "secret_key", "*.secret_key", "*secret_access_key"),
    *("api_key", "*.api_key", "*_api_key", "apikey", "*.apikey", "*api-key"),
    *("authorization", "*.authorization", "*.proxy-authorization", "*.proxy_authorization"),
    *("proxy-authorization", "cookie", "*.cookie", "set-cookie", "*.set-cookie", "*.set_cookie"),
    *("access_token", "*.access_token", "refresh_token", "*.refresh_token", "id_token"),
    *("*.id_token", "auth_token", "*.auth_token", "*.x-auth-token", "*.x_auth_token"),
    *("*.x-amz-security-token", "session_token", "*.session_token", "private_key", "*.private_key"),
    *("connection_string", "*.connection_string", "*.connectionstring"),
)

# What people and models said, by convention. Found in exports of real instrumentations and in:
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/
# https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
# https://github.com/traceloop/openllmetry (opentelemetry-semantic-conventions-ai)
# https://ai-sdk.dev/docs/ai-sdk-core/telemetry#collected-data
# https://langfuse.com/integrations/native/opentelemetry#property-mapping
# https://ai.pydantic.dev/logfire/ https://mlflow.org/docs/latest/genai/tracing/
CONTENT_NAMES = (
    # OpenTelemetry, now and before
    *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"),
    *("gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.message"),
    *("gen_ai.prompt", "gen_ai.completion", "gen_ai.event.content", "gen_ai.retrieval.query.text"),
    *("gen_ai.retrieval.documents", "gen_ai.content.prompt", "gen_ai.content.completion"),
    *("gen_ai.evaluation.explanation", "gen_ai.choice", "gen_ai.*.message"),
    # OpenLLMetry
    *("gen_ai.prompt.*.content", "gen_ai.prompt.*.arguments", "gen_ai.completion.*.content"),
    *("gen_ai.completion.*.arguments", "gen_ai.completion.*.reasoning", "gen_ai.task.input"),
    *("gen_ai.task.output", "traceloop.entity.input", "traceloop.entity.output"),
    *("traceloop.prompt.template", "traceloop.prompt.template_variables"),
    *("llm.prompts", "llm.prompts.*", "llm.completions", "llm.completions.*"),
    # OpenInference
    *("input.value", "output.value", "llm.input_messages", "llm.output_messages"),
    *("llm.*_messages.*.content", "llm.*_messages.*.text", "llm.*_messages.*.arguments"),
    *("llm.*_messages.*.image.url", "llm.*_messages.*.function_call_arguments_json"),
    *("llm.choices.*.text", "llm.prompt_template.template", "llm.prompt_template.variables"),
    *("retrieval.documents", "retrieval.documents.*.content", "retrieval.documents.*.metadata"),
    *("reranker.query", "reranker.*_documents.*.content", "reranker.*_documents.*.metadata"),
    *("embedding.text", "embedding.embeddings.*.text", "tool.parameters", "tool_call.*.arguments"),
    *("document.content", "message.content", "message.*.text", "prompt.*.text"),
    # Vercel AI SDK
    *("ai.prompt", "ai.prompt.messages", "ai.prompt.system", "ai.response.text"),
    *("ai.response.object", "ai.response.toolcalls", "ai.response.reasoning", "ai.result.text"),
    *("ai.result.object", "ai.result.toolcalls", "ai.toolcall.args", "ai.toolcall.result"),
    *("ai.value", "ai.values", "ai.schema.prompt", "ai.response.files"),
    # Langfuse, MLflow, Pydantic AI and Logfire, Haystack, LangSmith
    *("langfuse.*.input", "langfuse.*.output", "mlflow.spaninputs", "mlflow.spanoutputs"),
    *("all_messages_events", "*.all_messages", "events", "final_result", "tool_arguments"),
    *("tool_response", "request_data", "response_data", "haystack.component.input"),
    *("haystack.component.output", "langsmith.*.inputs", "langsmith.*.outputs"),
)
# Events, of spans or as log records, whose body and attributes of these names are content.
# https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/
CONTENT_EVENTS = (
    *("gen_ai.*.message", "gen_ai.choice", "gen_ai.content.prompt", "gen_ai.content.completion"),
    *("gen_ai.client.inference.operation.details", "gen_ai.evaluation.result", "gen_ai.*.content"),
)
EVENT_CONTENT_NAMES = ("content", "message", "tool_calls", "arguments", "body", "reasoning")
EVENT_NAME = b"event.name"  # where a log record's name stood before it had a field

# As long as a name in a policy may be.
LITERAL_MAX = 256
_CACHED_NAMES, _CACHED_LENGTH = 4096, 128


def folded(text: bytes) -> bytes:
    """Return text in which letters of both cases are the same, and few other characters are."""
    return bytes(byte | 0x20 for byte in text)


class Names:
    """A set of names and patterns of names."""

    def __init__(self, names: Iterable[str]) -> None:
        lowered = [name.lower().encode() for name in names]
        self._exact = {name for name in lowered if not _is_pattern(name)}
        self._patterns = tuple(name for name in lowered if _is_pattern(name))
        self._any = compile_bytes(b"|".join(map(_regex, self._patterns)) or rb"[^\x00-\xff]")
        self._known: dict[bytes, bool] = {}

    def __contains__(self, name: object) -> bool:
        """Return whether a name, as it stands on the wire, is one of these."""
        known = self._known.get(name) if isinstance(name, bytes) else False
        if known is None and isinstance(name, bytes):
            lowered = name.lower()
            known = lowered in self._exact or self._any.fullmatch(lowered) is not None
            # Names come from outside: neither many nor long ones may fill the memory.
            if len(name) <= _CACHED_LENGTH and len(self._known) < _CACHED_NAMES:
                self._known[name] = known
        return bool(known)

    def __bool__(self) -> bool:
        """Return whether there is any name."""
        return bool(self._exact or self._patterns)

    def literals(self) -> set[bytes]:
        """Return pieces of text, in lower case, one of which every one of these names holds.

        The empty piece is in every name.
        """
        pieces = {
            max(name.replace(b"?", b"*").split(b"*"), key=len)
            for name in (*self._exact, *self._patterns)
        }
        return shortest(pieces)


def shortest(pieces: Iterable[bytes]) -> set[bytes]:
    """Return the pieces without those that hold another of them."""
    kept: set[bytes] = set()
    for piece in sorted(pieces, key=len):
        if not any(other in piece for other in kept):
            kept.add(piece)
    return kept


def _is_pattern(name: bytes) -> bool:
    return b"*" in name or b"?" in name


def _regex(name: bytes) -> bytes:
    escaped = re2.escape(name)
    return b"(?s:" + escaped.replace(rb"\*", b".*").replace(rb"\?", b".") + b")"
