"""One condition judged on one item, part by part, with what each part read. Pure.

It is judged on plain OTLP messages, from left to right, as OTTL has it: the sure way beside the
fast one that decides. Parts behind the one that decided are not asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reflexarc.engines.ottl.check import values_of
from reflexarc.engines.ottl.compile import compile_condition
from reflexarc.engines.ottl.lexer import Token, tokens
from reflexarc.engines.ottl.plain import PlainPaths
from reflexarc.engines.ottl.rendering import json_text
from reflexarc.engines.ottl.syntax import And, Condition, Not, Or, Path
from reflexarc.engines.ottl.syntax import Literal as Written
from reflexarc.engines.ottl.values import EvaluationError, Id, Records

Verdict = Literal["true", "false", "error", "not asked"]
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_VALUE_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Part:
    """A condition, or a part of one: how it stands there, what became of it, what it read."""

    text: str
    verdict: Verdict
    kind: Literal["and", "or", "not", "one"] = "one"
    # What its paths gave, by how they are written; texts are cut.
    read: Mapping[str, str] | None = None
    error: str = ""
    parts: tuple["Part", ...] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """A condition of a context, and the messages that it is asked of, as PlainPaths names them."""

    context: str
    text: str
    messages: Sequence[Any]

    def judged(self, condition: Condition) -> Part:
        """Return the tree of a condition with a verdict for each part."""
        match condition:
            case And(conditions):
                return self._joined(condition, conditions, "and", deciding="false")
            case Or(conditions):
                return self._joined(condition, conditions, "or", deciding="true")
            case Not(inner):
                part = self.judged(inner)
                turned: dict[Verdict, Verdict] = {"true": "false", "false": "true"}
                verdict = turned.get(part.verdict, part.verdict)
                return Part(self._text(condition), verdict, "not", parts=(part,))
            case _:
                return self._leaf(condition)

    def unasked(self, condition: Condition) -> Part:
        """Return the tree of a condition that is not asked."""
        match condition:
            case And(inner) | Or(inner):
                kind: Literal["and", "or"] = "and" if isinstance(condition, And) else "or"
                parts = tuple(self.unasked(each) for each in inner)
                return Part(self._text(condition), "not asked", kind, parts=parts)
            case Not(negated):
                part = self.unasked(negated)
                return Part(self._text(condition), "not asked", "not", parts=(part,))
            case _:
                return Part(self._text(condition), "not asked")

    def _joined(
        self,
        whole: Condition,
        conditions: Sequence[Condition],
        kind: Literal["and", "or"],
        *,
        deciding: Verdict,
    ) -> Part:
        verdict: Verdict = "false" if deciding == "true" else "true"
        decided = False
        parts = []
        for each in conditions:
            part = self.unasked(each) if decided else self.judged(each)
            if part.verdict in {deciding, "error"}:
                verdict, decided = part.verdict, True
            parts.append(part)
        return Part(self._text(whole), verdict, kind, parts=tuple(parts))

    def _leaf(self, condition: Condition) -> Part:
        text, read = self._text(condition), self._read(condition)
        try:
            holds = compile_condition(condition, PlainPaths(self.context)).holds(*self.messages)
        except EvaluationError as error:
            return Part(text, "error", read=read, error=str(error))
        return Part(text, "true" if holds else "false", read=read)

    def _read(self, condition: Condition) -> Mapping[str, str]:
        """Return what the paths of a condition give, by how they are written."""
        words = tokens(self.text)
        found: dict[str, str] = {}
        for value in values_of(condition):
            if isinstance(value, Path) and all(isinstance(key, Written) for key in value.keys):
                found[_path_text(self.text, words, value.column)] = self._value(value)
        return found

    def _value(self, path: Path) -> str:
        source = PlainPaths(self.context)
        fragment = source.read(path)
        parameters = ", ".join(source.parameters)
        try:
            # The source is made of a checked path alone, as compile_condition makes it.
            value = eval(f"lambda {parameters}: {fragment.source}", dict(fragment.names))(  # noqa: S307
                *self.messages
            )
        except EvaluationError as error:
            return f"({error})"
        return shown(value)

    def _text(self, condition: Condition) -> str:
        return _condition_text(self.text, tokens(self.text), condition)


def shown(value: object) -> str:
    """Return a value as people write it in OTTL, cut where it is long."""
    match value:
        case None:
            return "nil"
        case Id(octets):
            text = octets.hex() or '""'
        case Records(size):
            text = f"({size} of them)"
        case bytes():
            text = f"0x{value.hex()}"
        case _:
            text = json_text(value, html=False)
    return text if len(text) <= _VALUE_SHOWN else f"{text[: _VALUE_SHOWN - 1]}…"


def _condition_text(text: str, words: Sequence[Token], condition: Condition) -> str:
    """Return how a condition stands in a text: from its column up to what joins it to the next."""
    joining = {"or"} if isinstance(condition, And) else {"and", "or"}
    depth, end = 0, len(text)
    for word in _from(words, condition.column):
        depth += (word.text in _OPENING) - (word.text in _CLOSING)
        joins = depth == 0 and word.text in joining and not isinstance(condition, Or)
        if depth < 0 or joins:
            end = word.column - 1
            break
    return text[condition.column - 1 : end].rstrip()


def _path_text(text: str, words: Sequence[Token], column: int) -> str:
    """Return how the path stands that starts at a column."""
    depth, end, before = 0, column, ""
    for word in _from(words, column):
        depth += (word.text == "[") - (word.text == "]")
        follows = word.text in {".", "[", "]"} or (word.kind == "name" and before in {"", "."})
        if not depth and not follows:
            break
        end, before = word.column + len(word.text), word.text
    return text[column - 1 : end - 1]


def _from(words: Sequence[Token], column: int) -> Iterator[Token]:
    return (word for word in words if word.column >= column and word.kind != "end")
