"""What an operator writes under `redaction:`. Without a word of it the defaults hold: always."""

from typing import Annotated, Literal

import re2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from reflexarc.engines.redact.linear import compile_pattern
from reflexarc.engines.redact.names import LITERAL_MAX, SECRET_NAMES

# Four bytes a character at most.
AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=LITERAL_MAX // 4)]
# Stands for the salt where a policy is only tried out: what comes of it is joined with nothing.
TRIAL_SALT = b"this is only a trial"
KINDS = ("email", "card", "key", "phone", "attribute", "content", "unreadable")


class Stated(BaseModel):
    """A part of the document: a typo is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RedactionPattern(Stated):
    """What a pattern finds in a text goes; the rest of the text stays."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")] = Field(
        description="names the count, and stands in the replacement"
    )
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = Field(
        description="in RE2's syntax, found anywhere in a text: no look-around, no back references"
    )

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in KINDS:
            raise ValueError(f"{name} is the name of a kind that is built in")
        return name

    @field_validator("pattern")
    @classmethod
    def _can_be_used(cls, pattern: str) -> str:
        try:
            compiled = compile_pattern(pattern)
        except re2.error as error:
            reason = error.args[0]
            said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise ValueError(f"RE2 cannot use this pattern: {said}") from error
        if compiled.search(b"") is not None:
            raise ValueError("the pattern matches the empty text, so it would be everywhere")
        if "\\C" in pattern:
            raise ValueError("the pattern may cut characters in two (\\C)")
        return pattern


class Detectors(Stated):
    """Which detectors search every text."""

    email: bool = Field(default=True, description="e-mail addresses")
    card: bool = Field(default=True, description="payment card numbers with a right check digit")
    keys: bool = Field(
        default=True,
        description="keys and tokens by their issuer's shape; passwords and headers by their name",
    )
    phone: bool = Field(
        default=True, description="telephone numbers in international or a common national form"
    )


class RedactionPolicy(Stated):
    """What must not leave, and what stands in its place."""

    attributes: tuple[AttributeName, ...] = Field(
        default=SECRET_NAMES,
        description=(
            "attributes, and keys of maps inside attributes and bodies, that are replaced whole, "
            "whatever they hold; names, or patterns with * and ?, in any case of letters. "
            "Stating it replaces the default list"
        ),
    )
    also: tuple[AttributeName, ...] = Field(
        default=(), description="further attributes, beside the default list"
    )
    patterns: tuple[RedactionPattern, ...] = Field(default=(), max_length=100)
    detectors: Detectors = Detectors()
    content: Literal["keep", "remove"] = Field(
        default="keep",
        description=(
            "whether prompts, completions, tool arguments and results and the bodies of GenAI "
            "events are searched like all text (keep), or replaced whole (remove)"
        ),
    )
    allow: tuple[AttributeName, ...] = Field(
        default=(),
        description=(
            "attributes of items, resources and scopes that detectors and patterns do not search, "
            "such as ids that look like something; names or patterns. An attribute that must go "
            "by its name goes all the same"
        ),
    )
    replacement: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\[\]{}():*-]{1,64}$")] = (
        Field(
            default="[redacted:{kind}]",
            description="what stands in the place of what went; {kind} says what it was",
        )
    )
    mode: Literal["label", "hash"] = Field(
        default="label",
        description=(
            "hash adds a keyed hash to the kind, so that equal values stay equal and can be "
            "joined; it needs a salt"
        ),
    )
    salt_secret: str = Field(
        default="",
        description="the name of the key, in the stack's telemetry secret, of the hashes' salt",
        max_length=512,
    )

    @field_validator("replacement")
    @classmethod
    def _says_little(cls, replacement: str) -> str:
        if "{" in replacement.replace("{kind}", "") or "}" in replacement.replace("{kind}", ""):
            raise ValueError("{kind} is the only thing in braces")
        return replacement

    @field_validator("patterns")
    @classmethod
    def _have_names_of_their_own(
        cls, patterns: tuple[RedactionPattern, ...]
    ) -> tuple[RedactionPattern, ...]:
        if len({pattern.name for pattern in patterns}) < len(patterns):
            raise ValueError("two patterns have the same name")
        return patterns
