"""Texts of telemetry as parts of rules: names, quoted texts, patterns of bodies. Pure."""

import re
from collections.abc import Container

_LONGEST = 48
_PLAIN = re.compile(r"[^a-z0-9]+")
# What changes from one line to the next: numbers, ids, addresses, quoted and hexadecimal things.
_VARIABLE = re.compile(
    r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b(?=[a-z]*[0-9])[0-9a-f]{12,}\b"
    r"|\"[^\"]*\"|'[^']*'|\S*@\S+|(?<![A-Za-z0-9])[-+]?[0-9][0-9.,:_/-]*"
)
_HOLE = "<*>"
_LINE_LONGEST = 300


def slug(text: str, taken: Container[str]) -> str:
    """Return a rule's name made of a text, another than those that are taken."""
    name = _PLAIN.sub("-", text.lower()).strip("-")[:_LONGEST].strip("-") or "unnamed"
    number, made = 2, name
    while made in taken:
        made = f"{name}-{number}"
        number += 1
    return made


def quoted(text: str) -> str:
    """Return a text as OTTL writes it."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def escaped(text: str) -> str:
    """Return a text as a pattern of RE2 that finds just it."""
    return "".join(f"\\{each}" if each in r".^$*+?()[]{}|\\" else each for each in text)


def template_of(line: str) -> str:
    """Return a line of a log with holes where lines of its kind differ."""
    return _VARIABLE.sub(_HOLE, line[:_LINE_LONGEST].partition("\n")[0])


def beginning_of(template: str) -> str:
    """Return the fixed text that lines of a template begin with."""
    return template.partition(_HOLE)[0]
