"""What a redaction policy may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from reflexarc.engines.redact.names import CONTENT_NAMES, SECRET_NAMES, Names, folded
from reflexarc.engines.redact.policy import RedactionPolicy


def test_everything_is_on_without_a_word() -> None:
    policy = RedactionPolicy()

    assert policy.detectors.model_dump() == {
        "email": True,
        "card": True,
        "keys": True,
        "phone": True,
    }
    assert (policy.content, policy.mode, policy.allow) == ("keep", "label", ())


def test_every_choice_is_described() -> None:
    schema = RedactionPolicy.model_json_schema()
    models = [schema, *schema["$defs"].values()]

    for model in models:
        for name, field in model["properties"].items():
            described = "description" in field or name in {"patterns", "detectors"}
            assert described, name


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"attribute": ["x"]}, "Extra inputs"),
        ({"detectors": {"emails": True}}, "Extra inputs"),
        ({"attributes": [""]}, "at least 1"),
        ({"attributes": ["x" * 65]}, "at most 64"),
        ({"content": "drop"}, "'keep' or 'remove'"),
        ({"replacement": 'say "x"'}, "should match pattern"),
        ({"replacement": "{name}"}, "only thing in braces"),
        ({"replacement": "x}"}, "only thing in braces"),
        ({"patterns": [{"name": "A", "pattern": "x"}]}, "should match pattern"),
        ({"patterns": [{"name": "email", "pattern": "x"}]}, "built in"),
        ({"patterns": [{"name": "a", "pattern": "("}]}, r"RE2 cannot use this pattern: missing \)"),
        ({"patterns": [{"name": "a", "pattern": "(?=x)"}]}, "RE2 cannot use"),
        ({"patterns": [{"name": "a", "pattern": r"(a)\1"}]}, "RE2 cannot use"),
        ({"patterns": [{"name": "a", "pattern": "((a{100}){100}){10}"}]}, "RE2 cannot use"),
        ({"patterns": [{"name": "a", "pattern": "x*"}]}, "matches the empty text"),
        ({"patterns": [{"name": "a", "pattern": r"\Cx"}]}, "cut characters in two"),
        (
            {"patterns": [{"name": "a", "pattern": "x"}, {"name": "a", "pattern": "y"}]},
            "same name",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        RedactionPolicy.model_validate(document)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "db.password", "DB_PASSWORD", "secret", "client_secret", "api_key"),
        *("openai_api_key", "http.request.header.authorization", "Authorization"),
        *("http.request.header.cookie", "http.response.header.set-cookie", "set-cookie"),
        *("http.response.header.set_cookie", "http.request.header.x-api-key", "x-api-key"),
        *("aws_secret_access_key", "db.connection_string", "http.request.header.x_auth_token"),
    ],
)
def test_names_of_secrets_are_known_in_any_case(name: str) -> None:
    assert name.encode() in Names(SECRET_NAMES)


@pytest.mark.parametrize(
    "name",
    ["passwords_total", "secretary", "gen_ai.usage.input_tokens", "api_keys", "cookies.count", ""],
)
def test_other_names_are_none(name: str) -> None:
    assert name.encode() not in Names(SECRET_NAMES)


@pytest.mark.parametrize(
    "name",
    [
        *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"),
        *("gen_ai.prompt.0.content", "gen_ai.completion.0.tool_calls.0.arguments"),
        *("gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.task.output"),
        *("input.value", "output.value", "llm.input_messages.0.message.content"),
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
        "llm.input_messages.1.message.contents.0.message_content.text",
        *("retrieval.documents.0.document.content", "embedding.embeddings.0.embedding.text"),
        *("traceloop.entity.input", "ai.prompt", "ai.prompt.messages", "ai.response.toolCalls"),
        *("ai.toolCall.args", "langfuse.observation.input", "langfuse.trace.output"),
        *("pydantic_ai.all_messages", "mlflow.spanInputs", "tool_response"),
    ],
)
def test_names_of_content_are_known(name: str) -> None:
    assert name.encode() in Names(CONTENT_NAMES)


@pytest.mark.parametrize(
    "name",
    ["gen_ai.prompt.0.role", "gen_ai.request.model", "llm.token_count.prompt", "input.mime_type"],
)
def test_what_describes_a_call_is_no_content(name: str) -> None:
    assert name.encode() not in Names(CONTENT_NAMES)


def test_a_pattern_of_a_name_has_two_wildcards_and_nothing_else() -> None:
    names = Names(["a.*.b", "x?z", "q[1]"])

    assert [name in names for name in (b"a..b", b"a.1.\n.b", b"xyz", b"xz", b"q[1]", b"q1")] == [
        *(True, True, True, False),
        *(True, False),
    ]
    assert "xyz" not in names
    assert bool(names)
    assert not Names([])


def test_names_from_outside_fill_no_memory() -> None:
    names = Names(["*secret*"])
    for number in range(5000):
        assert b"n%d" % number not in names
    long = b"x" * 1000 + b"secret"

    assert long in names
    assert long in names
    assert len(names._known) <= 4096
    assert max(map(len, names._known)) <= 128


def test_every_name_holds_a_piece_that_is_looked_for() -> None:
    names = Names(["a.*.bcd", "Secret", "*secret_key", "?"])

    assert names.literals() == {b""}
    assert Names(["a.*.bcd", "Secret", "*secret_key"]).literals() == {b".bcd", b"secret"}


def test_folding_makes_letters_of_both_cases_the_same() -> None:
    assert folded(b"Set-Cookie") == folded(b"sET-cOOKIE")
    assert folded(b"a") != folded(b"b")
