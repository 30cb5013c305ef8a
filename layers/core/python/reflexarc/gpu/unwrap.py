"""Takes kernel lines out of what carried them: JSON, /dev/kmsg and syslog escapes, colours.

Only text that may hold a fault comes here, so this favours patience over speed. Nothing raises.
"""

import json
import re
from collections.abc import Iterator

# A container runtime around a log shipper around journald makes three wrappers.
DEPTH_MAX = 4
# A forwarder may print plain text, with braces of its own, in front of its JSON.
STARTS_MAX = 4

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # dmesg --color=always
_NEWLINES = re.compile(r"[\r\n]+")
# \x0a: /dev/kmsg, https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg
# \u003c: encoders that guard against HTML. #012: rsyslog's EscapeControlCharactersOnReceive.
_ESCAPE = re.compile(
    r"(?P<bytes>(?:\\x[0-9a-fA-F]{2})+)|\\u00(?P<code>[0-7][0-9a-fA-F])"
    r'|\\(?P<letter>[nrt"/\\])|#0(?P<octal>1[125]|33)'
)
_LETTERS = {"n": "\n", "r": "\n", "t": "\t"}
_DECODER = json.JSONDecoder()


def lines_in(text: str, depth: int = DEPTH_MAX) -> tuple[str, ...]:
    """Return the plain lines that a text carries, in their order."""
    if depth and "{" in text and '"' in text and (strings := _strings_of_object(text)):
        return tuple(line for string in strings for line in lines_in(string, depth - 1))
    if "\\" in text or "#0" in text:
        text = _ESCAPE.sub(_unescaped, text)
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    return tuple(line for line in _NEWLINES.split(text) if line)


def _strings_of_object(text: str) -> list[str]:
    """Return the strings of the first JSON object in the text that may speak of a fault."""
    start = -1
    for _ in range(STARTS_MAX):
        start = text.find("{", start + 1)
        if start < 0:
            break
        try:
            document, _end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if found := [string for string in _strings(document) if may_speak_of_fault(string)]:
            return found
    return []


def may_speak_of_fault(text: str) -> bool:
    """Tell cheaply whether a text deserves a closer look; False is certain, True is not."""
    lowered = text.lower()
    return "xid" in lowered or "fallen off" in lowered


def _strings(value: object, depth: int = 2 * DEPTH_MAX) -> Iterator[str]:
    """Yield the strings inside a JSON value, including journald's arrays of bytes."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth:
        for part in value.values():
            yield from _strings(part, depth - 1)
    elif isinstance(value, list) and depth:
        # journald prints a message with unprintable characters as an array of its bytes,
        # https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-json-format
        if value and all(type(part) is int and 0 <= part <= 255 for part in value):  # noqa: PLR2004 -- a byte
            yield bytes(value).decode("utf-8", "replace")
        else:
            for part in value:
                yield from _strings(part, depth - 1)


def _unescaped(escape: re.Match[str]) -> str:
    """Return the characters that one run of escapes stands for."""
    if run := escape["bytes"]:
        return bytes.fromhex(run.replace("\\x", "")).decode("utf-8", "replace")
    if code := escape["code"]:
        return chr(int(code, 16))
    if octal := escape["octal"]:
        return chr(int(octal, 8))
    return _LETTERS.get(escape["letter"], escape["letter"])
