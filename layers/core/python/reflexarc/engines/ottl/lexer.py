"""A condition cut into tokens, each with its column. Pure.

The rules are those of the Collector's lexer, in its order:
https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/grammar.go
"""

import re
from dataclasses import dataclass
from typing import Literal

from reflexarc.engines.ottl.syntax import OttlError

LONGEST = 16_384  # characters of one condition; the longest that people write has hundreds

Kind = Literal["bytes", "float", "int", "string", "compare", "math", "name", "punct", "end"]

# The expression is ours and linear: no pattern of a user ever meets Python's `re`.
_TOKEN = re.compile(
    r"""
    (?P<space>[\t\n\f\r\ ]+)
    |(?P<bytes>0x[a-fA-F0-9]+)
    |(?P<float>(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
    |(?P<int>[0-9]+)
    |(?P<string>"(?:\\.|[^\\"])*")
    |(?P<compare>==|!=|>=|<=|>|<)
    |(?P<math>[-+*/])
    |(?P<name>[A-Za-z][A-Za-z0-9_]*)
    |(?P<punct>[=(){}\[\]:,.])
    """,
    re.VERBOSE,
)
_SIMPLE_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r",
    "t": "\t", "v": "\v", "\\": "\\", '"': '"',
}  # fmt: skip
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.?))", re.DOTALL
)
_LAST_OCTAL = 0o377
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a condition; `column` is where it starts, 1 for the first character."""

    kind: Kind
    text: str
    column: int


def tokens(condition: str) -> list[Token]:
    """Return the tokens of a condition, a token of kind `end` behind them."""
    if len(condition) > LONGEST:
        raise OttlError(f"longer than {LONGEST} characters", condition[:80], 1)
    found, at = [], 0
    while at < len(condition):
        match = _TOKEN.match(condition, at)
        if match is None:
            raise OttlError(_no_token(condition, at), condition, at + 1)
        if match.lastgroup != "space":
            kind: Kind = match.lastgroup  # type: ignore[assignment]
            found.append(Token(kind, match[0], at + 1))
        at = match.end()
    found.append(Token("end", "", len(condition) + 1))
    return found


def _no_token(condition: str, at: int) -> str:
    if condition[at] == '"':
        return "the text that starts here has no closing quote"
    return f"{condition[at]!r} has no meaning here"


def unquoted(token: Token, condition: str) -> str:
    """Return what a quoted text says; its escapes are Go's, and an unknown one is an error."""

    def character(match: re.Match[str]) -> str:
        hexadecimal = match[1] or match[2] or match[3]
        if hexadecimal or match[4]:
            code = int(hexadecimal, 16) if hexadecimal else int(match[4], 8)
            last = _LAST_CODE_POINT if hexadecimal else _LAST_OCTAL
            if code <= last and code not in _SURROGATES:
                return chr(code)
        elif match[5] in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[match[5]]
        reason = f"{match[0]!r} is no escape; a backslash is written as two"
        raise OttlError(reason, condition, token.column + 1 + match.start())

    return _ESCAPE.sub(character, token.text[1:-1])
