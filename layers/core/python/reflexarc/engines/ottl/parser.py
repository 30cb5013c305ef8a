"""An OTTL condition as text becomes a syntax tree. Pure; raises OttlError and nothing else.

Grammar: https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/grammar.go
It is read from left to right without going back: behind an opening parenthesis, what follows the
closing one tells whether numbers or conditions stand within.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from reflexarc.engines.ottl.contexts import ENUMS, READABLE
from reflexarc.engines.ottl.lexer import Token, tokens, unquoted
from reflexarc.engines.ottl.syntax import (
    And,
    Argument,
    Arithmetic,
    Call,
    Comparator,
    Compare,
    Condition,
    Function,
    ListOf,
    Literal,
    MapOf,
    Negative,
    Not,
    Operator,
    Or,
    OttlError,
    Path,
    Truth,
    Value,
)

DEEPEST = 32  # parentheses, calls, lists and maps in each other; operators in one calculation
_LARGEST_INT = 2**63 - 1
_CONSTANTS: Mapping[str, bool | None] = {"nil": None, "true": True, "false": False}
_WORDS = frozenset({"and", "or", "not", *_CONSTANTS})
_SEGMENT = re.compile(r"[a-z][a-z0-9_]*\Z")
_ENUM = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


def parse(condition: str, context: str, enums: Mapping[str, int] | None = None) -> Condition:
    """Return the tree of a condition that is judged in a context (`span`, `log`...).

    Only the grammar is checked here: see `check` for names, arguments and types. `enums` stands for
    the context's own.
    """
    words = tokens(condition)
    parser = _Parser(
        condition,
        context,
        ENUMS.get(context, {}) if enums is None else enums,
        words,
        _closings(words),
    )
    tree = parser.either()
    if parser.word.kind != "end":
        raise parser.unexpected("the end")
    return tree


def _closings(words: list[Token]) -> dict[int, int]:
    """Return for each opening bracket where its closing one is."""
    pairs, opened = {}, []
    for number, word in enumerate(words):
        if word.kind != "punct":
            continue
        if word.text in _BRACKETS:
            opened.append(number)
        elif opened and word.text == _BRACKETS[words[opened[-1]].text]:
            pairs[opened.pop()] = number
    return pairs


@dataclass(slots=True)
class _Parser:
    condition: str
    context: str
    enums: Mapping[str, int]
    words: list[Token]
    closings: dict[int, int]
    at: int = 0
    depth: int = 0

    # Tokens

    @property
    def word(self) -> Token:
        return self.words[self.at]

    def sees(self, text: str) -> bool:
        """Tell whether the next token is this sign or word."""
        return self.word.text == text and self.word.kind != "string"

    def take(self) -> Token:
        word = self.words[self.at]
        self.at += 1
        return word

    def skip(self, text: str) -> bool:
        if self.sees(text):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> Token:
        if not self.sees(text):
            raise self.unexpected(repr(text))
        return self.take()

    def error(self, reason: str, at: Token) -> OttlError:
        return OttlError(reason, self.condition, at.column)

    def unexpected(self, wanted: str) -> OttlError:
        found = "the condition ends" if self.word.kind == "end" else f"found {self.word.text!r}"
        return self.error(f"expected {wanted}, {found}", self.word)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"nested deeper than {DEEPEST}", self.word)

    # Conditions

    def either(self) -> Condition:
        column = self.word.column
        parts = [self.all()]
        while self.skip("or"):
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts), column)

    def all(self) -> Condition:
        column = self.word.column
        parts = [self.negated()]
        while self.skip("and"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else And(tuple(parts), column)

    def negated(self) -> Condition:
        column = self.word.column
        if self.skip("not"):
            return Not(self.one(), column)
        return self.one()

    def one(self) -> Condition:
        """Parse a comparison, a truth value, or conditions in parentheses."""
        if self.sees("(") and not self._opens_a_value():
            self.deeper()
            self.take()
            inner = self.either()
            self.expect(")")
            self.depth -= 1
            return inner
        start = self.word
        left = self.value()
        if self.word.kind == "compare":
            comparator = cast("Comparator", self.take().text)
            return Compare(comparator, left, self.value(), start.column)
        if isinstance(left, Call) or (isinstance(left, Literal) and isinstance(left.value, bool)):
            return Truth(left, start.column)
        raise self.unexpected("a comparison")

    def _opens_a_value(self) -> bool:
        closing = self.closings.get(self.at)
        return closing is not None and self.words[closing + 1].kind in {"compare", "math"}

    # Values

    def value(self) -> Value:
        """Parse a value; what can take part in a calculation may be one."""
        word = self.word
        if word.kind == "string":
            return Literal(unquoted(self.take(), self.condition), word.column)
        if word.kind == "bytes":
            return self.bytes()
        if word.text in _CONSTANTS:
            return Literal(_CONSTANTS[self.take().text], word.column)
        if word.kind == "name" and _ENUM.match(word.text) and self._next_text() != "(":
            return self.enum()
        if word.text in "[{" and word.kind == "punct":
            return self.list() if word.text == "[" else self.map()
        return self.sum()

    def _next_text(self) -> str:
        return self.words[min(self.at + 1, len(self.words) - 1)].text

    def bytes(self) -> Literal:
        word = self.take()
        digits = word.text[2:]
        if len(digits) % 2:
            raise self.error("bytes take an even number of digits", word)
        return Literal(bytes.fromhex(digits), word.column)

    def enum(self) -> Literal:
        word = self.take()
        try:
            return Literal(self.enums[word.text], word.column)
        except KeyError:
            raise self.error(f"{word.text} is unknown {self._here()}", word) from None

    def _here(self) -> str:
        return f"in context {self.context}" if self.context else "here"

    def list(self) -> ListOf:
        self.deeper()
        opening = self.take()
        items: list[Value] = []
        while not self.sees("]") and not self.sees(","):
            items.append(self.value())
        while self.skip(","):
            items.append(self.value())
        self.expect("]")
        self.depth -= 1
        return ListOf(tuple(items), opening.column)

    def map(self) -> MapOf:
        self.deeper()
        opening = self.take()
        items: list[tuple[str, Value]] = []
        while not self.sees("}"):
            if self.word.kind != "string":
                raise self.unexpected("a key in quotes")
            key = unquoted(self.take(), self.condition)
            self.expect(":")
            items.append((key, self.value()))
            self.skip(",")
        self.take()
        self.depth -= 1
        return MapOf(tuple(items), opening.column)

    # Calculations

    def sum(self) -> Value:
        start, depth = self.word, self.depth
        left = self.product()
        while self.word.kind == "math" and self.word.text in "+-":
            self.deeper()
            operator = cast("Operator", self.take().text)
            left = Arithmetic(operator, left, self.product(), start.column)
        self.depth = depth
        return left

    def product(self) -> Value:
        start, depth = self.word, self.depth
        left = self.signed()
        while self.word.kind == "math" and self.word.text in "*/":
            self.deeper()
            operator = cast("Operator", self.take().text)
            left = Arithmetic(operator, left, self.signed(), start.column)
        self.depth = depth
        return left

    def signed(self) -> Value:
        sign = self.word
        if self.skip("+"):
            return self.operand()
        if not self.skip("-"):
            return self.operand()
        value = self.operand()
        if isinstance(value, Literal) and isinstance(value.value, int | float):
            return Literal(-value.value, sign.column)
        return Negative(value, sign.column)

    def operand(self) -> Value:
        word = self.word
        if self.sees("("):
            self.deeper()
            self.take()
            inner = self.sum()
            self.expect(")")
            self.depth -= 1
            return inner
        if word.kind == "int":
            self.take()
            number = int(word.text) if len(word.text) < len(str(_LARGEST_INT)) + 1 else None
            if number is None or number > _LARGEST_INT:
                raise self.error("a number larger than 64 bits hold", word)
            return Literal(number, word.column)
        if word.kind == "float":
            return self.float()
        if word.kind == "name" and word.text not in _WORDS:
            return self.call() if self._next_text() == "(" else self.path()
        raise self.unexpected("a value")

    def float(self) -> Literal:
        word = self.take()
        number = float(word.text)
        if number == float("inf"):
            raise self.error("a number larger than 64 bits hold", word)
        return Literal(number, word.column)

    # Names

    def call(self) -> Call:
        name = self.take()
        if not name.text[0].isupper():
            reason = f"{name.text} changes telemetry; a condition calls converters (upper case)"
            raise self.error(reason, name)
        self.deeper()
        self.expect("(")
        arguments: list[Argument] = []
        while not self.sees(")"):
            arguments.append(self.argument())
            if not self.sees(")"):
                self.expect(",")
                if self.sees(")"):
                    raise self.unexpected("an argument")
        self.take()
        self.depth -= 1
        return Call(name.text, tuple(arguments), self.keys(), name.column)

    def argument(self) -> Argument:
        name = ""
        if self.word.kind == "name" and self._next_text() == "=":
            if not self.word.text[0].islower():
                raise self.error("an argument's name starts with a small letter", self.word)
            name = self.take().text
            self.take()
        word = self.word
        behind = self._next_text()
        alone = word.kind == "name" and word.text[0].isupper() and behind in {",", ")"}
        if alone and word.text not in self.enums:
            self.take()
            return Argument(name, Function(word.text, word.column))
        return Argument(name, self.value())

    def path(self) -> Path:
        start = self.word
        names, keys = [self.segment()], self.keys()
        context = self.context
        while self.skip("."):
            if keys:
                # No field has keys in its midst: the name that this makes is none that exists.
                names[-1] = f"{names[-1]}[...]"
            names.append(self.segment())
            keys = self.keys()
        if len(names) > 1 and names[0] in READABLE.get(self.context, {}):
            context = READABLE[self.context][names.pop(0)]
        return Path(context, tuple(names), keys, start.column)

    def segment(self) -> str:
        if self.word.kind != "name" or not _SEGMENT.match(self.word.text):
            raise self.unexpected("a field's name in small letters")
        return self.take().text

    def keys(self) -> tuple[Value, ...]:
        keys: list[Value] = []
        while self.sees("["):
            self.deeper()
            self.take()
            if self.word.kind == "string":
                word = self.take()
                keys.append(Literal(unquoted(word, self.condition), word.column))
            else:
                keys.append(self.sum())
            self.expect("]")
            self.depth -= 1
        return tuple(keys)
