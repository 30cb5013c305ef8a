"""Redacts one text: everything that the detectors and patterns of a policy find in it goes."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Iterator

import re2

from reflexarc.engines.redact.card import CardDetector
from reflexarc.engines.redact.email_address import EmailDetector
from reflexarc.engines.redact.escapes import LEVELS_MAX, View, hides_something, views
from reflexarc.engines.redact.keys import KeyDetector
from reflexarc.engines.redact.linear import DIGITS, Pattern, compile_bytes, compile_pattern
from reflexarc.engines.redact.model import Detector, Found, Interval
from reflexarc.engines.redact.phone import PhoneDetector
from reflexarc.engines.redact.policy import KINDS, RedactionPolicy
from reflexarc.kernel.errors import Rejected

UNREADABLE = "unreadable"
SALT_SHORTEST = 16
_LETTERS = bytes.maketrans(b"0123456789abcdef", b"abcdefghijklmnop")
_HASH_LENGTH = 16
_NUMBERS = frozenset({"card", "phone"})


class PatternDetector:
    """Finds what a user's pattern matches."""

    def __init__(self, name: str, pattern: str) -> None:
        self.kind = name
        self._pattern = compile_pattern(pattern)

    def find(self, text: bytes) -> Iterator[Interval]:
        """Yield where the pattern matches anything."""
        for match in self._pattern.finditer(text):
            if match.start() < match.end():
                yield match.span()


class TextRedactor:
    """Redacts texts by one policy."""

    def __init__(
        self, policy: RedactionPolicy, salt: bytes = b"", detectors: Iterable[Detector] = ()
    ) -> None:
        """`detectors` are further ones, beside the policy's."""
        if policy.mode == "hash" and len(salt) < SALT_SHORTEST:
            raise Rejected(f"hashes need a salt of {SALT_SHORTEST} bytes or more")
        self._salt = salt if policy.mode == "hash" else b""
        self._template = policy.replacement.encode()
        self._detectors = (*_detectors(policy), *detectors)
        self._own = self._what_we_write()
        for kind in (*KINDS, *(detector.kind for detector in self._detectors)):
            written = self.replacement(kind, b"0")
            if any(True for _ in self._found(written)):
                raise Rejected(f"the replacement {written.decode()} would itself be redacted")

    def redacted(self, text: bytes, counts: Counter[str], *, binary: bool = False) -> bytes | None:
        """Return the text without what was found, or None where nothing was.

        A text that is not UTF-8 has no parts that could be replaced: it goes whole; of `binary`
        values only those do in which something is found. So does a text that cannot be examined.
        """
        try:
            readable = _is_utf8(text)
            found = list(self._found(text)) if readable or binary else []
        except Exception:  # noqa: BLE001 - whatever a detector fails of, its text must not pass
            return self._whole(text, counts)
        if not readable and (found or not binary):
            return self._whole(text, counts)
        if not found:
            return None
        parts: list[bytes] = []
        done = 0
        for start, end, kind in found:
            counts[kind] += 1
            parts += (text[done:start], self.replacement(kind, text[start:end]))
            done = end
        return b"".join((*parts, text[done:]))

    def replacement(self, kind: str, value: bytes) -> bytes:
        """Return what stands in the place of a value of this kind."""
        if self._salt:
            digest = hmac.new(self._salt, _canonical(kind, value), hashlib.sha256).hexdigest()
            kind += ":" + digest[:_HASH_LENGTH].encode().translate(_LETTERS).decode()
        return self._template.replace(b"{kind}", kind.encode())

    def is_ours(self, text: bytes) -> bool:
        """Return whether this is what we put in the place of something before."""
        return self._own.fullmatch(text) is not None

    def _whole(self, text: bytes, counts: Counter[str]) -> bytes:
        counts[UNREADABLE] += 1
        return self.replacement(UNREADABLE, text)

    def _what_we_write(self) -> Pattern:
        kind = rb"[a-z][a-z0-9_-]*(?::[a-p]{16})?"
        parts = map(re2.escape, self._template.split(b"{kind}"))
        return compile_bytes(kind.join(parts))

    def _found(self, text: bytes) -> Iterator[Found]:
        """Yield what must go from left to right; what overlaps goes as one."""
        pending: Found | None = None
        for found in sorted(self._in_views(text), key=lambda found: (found.start, -found.end)):
            if pending is None:
                pending = found
            elif found.start < pending.end:
                pending = pending._replace(end=max(pending.end, found.end))
            else:
                yield pending
                pending = found
        if pending is not None:
            yield pending

    def _in_views(self, text: bytes) -> Iterator[Found]:
        seen = views(text) if b"\\" in text else [View(text)]
        if len(seen) > LEVELS_MAX and hides_something(seen[-1]):
            raise Rejected("more levels of escapes than can be undone")
        for view in seen:
            for detector in self._detectors:
                for start, end in detector.find(view.text):
                    # An escape that a further view undoes is no part of what was found: `\nbob@`.
                    first = start if view is seen[-1] else view.after_escape(start)
                    if first < end and not self.is_ours(view.text[first:end]):
                        yield Found(view.place(first), view.place(end), detector.kind)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _canonical(kind: str, value: bytes) -> bytes:
    """Return what is the same for all ways to write one card, telephone number or address."""
    if kind in _NUMBERS:
        return bytes(byte for byte in value if byte in DIGITS)
    return value.lower() if kind == "email" else value


def _detectors(policy: RedactionPolicy) -> tuple[Detector, ...]:
    on = policy.detectors
    every: tuple[tuple[bool, Detector], ...] = (
        (on.keys, KeyDetector()),
        (on.card, CardDetector()),
        (on.email, EmailDetector()),
        (on.phone, PhoneDetector()),
    )
    return (
        *(PatternDetector(pattern.name, pattern.pattern) for pattern in policy.patterns),
        *(detector for wanted, detector in every if wanted),
    )
