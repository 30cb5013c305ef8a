"""Text that came from a node, made safe to show: no control characters, never longer than asked.

Node, process and device names and kernel lines are what a user or an attacker made them. Slack's
own markup is escaped here too, because the cut must count the escaped characters.
"""

import json
import unicodedata

ELLIPSIS = "…"
# https://docs.slack.dev/messaging/formatting-message-text/#escaping
_SLACK = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Controls, invisible format characters (direction overrides, zero-width), lone surrogates.
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})
_SEPARATORS = frozenset({"Zl", "Zp", "Zs"})


def one_line(text: str, limit: int) -> str:
    """Return the text as one visible line of at most `limit` characters."""
    return _cut(" ".join(_visible(text, limit, keep="").split()), limit, {})


def mrkdwn(text: str, limit: int) -> str:
    """Return one line that Slack shows as it is: no mention, link or code span can start in it."""
    line = " ".join(_visible(text, limit, keep="").split()).replace("`", "'")
    return _cut(line, limit, _SLACK)


def code(text: str, limit: int) -> str:
    """Return one line as Slack inline code; an empty text stays empty."""
    line = mrkdwn(text, limit)
    return f"`{line}`" if line else ""


def code_block(text: str, limit: int) -> str:
    """Return lines as a Slack code block that nothing inside can end; empty stays empty."""
    lines = _visible(text, limit, keep="\n").strip().replace("`", "'")
    return f"```{_cut(lines, limit, _SLACK)}```" if lines else ""


def wire_width(text: str) -> int:
    """Return how much room a text takes inside a JSON message, at its widest."""
    astral = 0 if text.isascii() else sum(char > "\uffff" for char in text)
    return len(json.dumps(text, ensure_ascii=False)) - 2 + astral


def _visible(text: str, limit: int, *, keep: str) -> str:
    if text.isascii() and text.isprintable():  # nearly all there is: a list of nodes has thousands
        return text[: 2 * limit + 1]
    # Twice the limit leaves room for what is dropped without walking through a hostile megabyte.
    return "".join(_shown(char, keep) for char in text[: 2 * limit + 1])


def _shown(char: str, keep: str) -> str:
    if char in keep:
        return char
    if char.isspace() or unicodedata.category(char) in _SEPARATORS:
        return " "
    return "" if unicodedata.category(char) in _UNSEEN else char


def _cut(text: str, limit: int, escapes: dict[str, str]) -> str:
    """Escape and cut; width is counted in UTF-16 units, the largest count any vendor uses."""
    if len(text) <= limit and text.isascii() and not any(char in text for char in escapes):
        return text
    pieces: list[str] = []
    room = limit
    for char in text:
        piece = escapes.get(char, char)
        room -= len(piece) + (char > "\uffff")
        pieces.append(piece)
        if room < 0:
            return _shortened(pieces, limit)
    return "".join(pieces)


def _shortened(pieces: list[str], limit: int) -> str:
    width = sum(len(piece) + (piece > "\uffff") for piece in pieces)
    while width > limit - len(ELLIPSIS):
        piece = pieces.pop()
        width -= len(piece) + (piece > "\uffff")
    return "".join(pieces).rstrip() + ELLIPSIS
