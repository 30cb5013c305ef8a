"""Finds e-mail addresses.

The rule: a local part, "@" (or "%40", as URLs write it), and a domain of two labels or more whose
last one has no digits, or an address in brackets (RFC 5321, section 4.1.2). Letters of Latin,
Greek, Cyrillic and other two-byte scripts count as letters (RFC 6531); those of scripts that put
no space between words do not, else the sentence around an address would go with it. Of the odd
characters that RFC 5322 allows in a local part only the last one may be odd: they more often
surround an address than belong to one (`mail=bob@example.com`), and what is left of such an
address names nobody. No address: a picture's scale (`icon@2x.png`), a version (`react@18.2.0`),
and the end of a password in a URL, which is the keys' business.

https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1
"""

from collections.abc import Iterator

from reflexarc.engines.redact.keys import user_infos
from reflexarc.engines.redact.linear import compile_bytes
from reflexarc.engines.redact.model import Interval

_LETTER = rb"[\xc3-\xdf][\x80-\xbf]"  # what two bytes of UTF-8 can say: U+00C0 to U+07FF
_AT = rb"(?:@|%40)"
_DOMAIN = (
    rb"(?:(?:[A-Za-z0-9-]|" + _LETTER + rb")+\.)+"
    rb"(?:xn--[A-Za-z0-9-]+|(?:[A-Za-z]|" + _LETTER + rb"){2,})"
)
_ADDRESS = compile_bytes(
    rb"(?:[A-Za-z0-9._%+-]|" + _LETTER + rb")*"
    rb"(?:[A-Za-z0-9._%+\-!#$&'*/=?^`{|}~\"]|"
    + _LETTER
    + rb")"
    + _AT
    + rb"(?:"
    + _DOMAIN
    + rb"|\[(?:IPv6:)?[0-9A-Fa-f:.]+\])"
)
_PICTURE = compile_bytes(rb"@[1-9]x\.(?:png|jpe?g|gif|svg|webp|avif)")

# What every address holds; RE2 finds the first byte with vector instructions.
CANDIDATES = (
    compile_bytes(
        rb"@(?:(?:[A-Za-z0-9-]|" + _LETTER + rb")(?:[A-Za-z0-9.-]|" + _LETTER + rb")*?"
        rb"\.(?:[A-Za-z]|" + _LETTER + rb")|\[)"
    ),
)
RARE = (b"%40",)


class EmailDetector:
    """Finds e-mail addresses."""

    kind = "email"

    def find(self, text: bytes) -> Iterator[Interval]:
        """Yield where addresses stand."""
        if b"@" not in text and b"%40" not in text:
            return
        passwords = {end for _, end in user_infos(text)}
        for match in _ADDRESS.finditer(text):
            start, end = match.span()
            at = text.find(b"@", start, end)
            if at not in passwords and (at < 0 or _PICTURE.fullmatch(text[at:end]) is None):
                yield start, end
