"""Converters between encodings of text: Base64Encode, Base64Decode, Decode. Pure."""

import base64
import codecs
import re
from collections.abc import Callable, Mapping

from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.rendering import from_octets, octets
from reflexarc.engines.ottl.values import EvaluationError, type_name

_VARIANTS = ("base64", "base64-raw", "base64-url", "base64-raw-url")
_STANDARD = re.compile(rb"[A-Za-z0-9+/]*(={0,2})\Z")
_URL_SAFE = re.compile(rb"[A-Za-z0-9_-]*(={0,2})\Z")
# What stands for what, as the Collector has it: ASCII is read as UTF-8.
_ALIASES = {
    "": "utf-8", "utf8": "utf-8", "utf-8": "utf-8", "ascii": "utf-8", "us-ascii": "utf-8",
    "utf16": "utf-16-le", "utf-16": "utf-16-le", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "gb18030": "gb18030", "gbk": "gbk", "big5": "big5", "shift_jis": "shift_jis",
    "euc-jp": "euc_jp", "euc-kr": "euc_kr", "macintosh": "mac_roman", "iso-2022-jp": "iso2022_jp",
    "koi8-r": "koi8_r", "koi8-u": "koi8_u",
}  # fmt: skip
_FAMILIES = re.compile(r"(?:iso-8859-[0-9]{1,2}|windows-(?:125[0-8]|874)|ibm[0-9]{3})\Z")
_RAW = frozenset({"nop", "utf-8-raw", "utf8-raw"})

Decoder = Callable[[bytes], str]


def base64_encode(text: str, variant: str = "base64") -> str:
    """Return a text in one of the forms of base64."""
    if variant not in _VARIANTS:
        raise EvaluationError(f"{variant[:80]!r} is no form of base64")
    encode = base64.urlsafe_b64encode if "url" in variant else base64.b64encode
    encoded = encode(octets(text)).decode()
    return encoded.rstrip("=") if "raw" in variant else encoded


def base64_decode(text: str) -> str:
    """Return what stands in base64."""
    return decoder("base64")(octets(text))


def _base64_decoder(variant: str) -> Decoder:
    alphabet, raw = (_URL_SAFE if "url" in variant else _STANDARD), "raw" in variant

    def decode(data: bytes) -> str:
        plain = data.replace(b"\r", b"").replace(b"\n", b"")
        match = alphabet.match(plain)
        if match is None or (raw and match[1]) or (not raw and len(plain) % 4):
            raise EvaluationError("this is no base64")
        filled = plain + b"=" * (-len(plain) % 4)
        return from_octets(base64.b64decode(filled.translate(_TO_STANDARD), validate=True))

    return decode


_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def decoder(encoding: str) -> Decoder:
    """Return what decodes an encoding by its IANA name; raises ValueError where it is unknown."""
    if encoding in _VARIANTS:
        return _base64_decoder(encoding)
    name = encoding.lower()
    if name in _RAW:
        return from_octets
    codec = _ALIASES.get(name, name if _FAMILIES.match(name) else None)
    try:
        found = codecs.lookup(codec or "")
    except LookupError:
        raise ValueError(f"{encoding[:80]!r} is no encoding that can be decoded") from None
    return lambda data: found.decode(data, "replace")[0]


def decode(target: object, encoding: str) -> str:
    """Return the text that bytes, or a text's bytes, write in an encoding."""
    try:
        decoding = decoder(encoding)
    except ValueError as error:
        raise EvaluationError(str(error)) from None
    return _decoded(target, decoding)


def _decoded(target: object, decoding: Decoder) -> str:
    if isinstance(target, str):
        return decoding(octets(target))
    if isinstance(target, bytes):
        return decoding(target)
    raise EvaluationError(f"{type_name(target)} cannot be decoded")


def _decode(given: Mapping[str, object]) -> Callable[..., object]:
    if "encoding" not in given:
        return decode
    decoding = decoder(str(given["encoding"]))
    return lambda target: _decoded(target, decoding)


CONVERTERS = table(
    Converter(
        "Base64Encode", parameters("target: string, variant: string?"), base64_encode, "string"
    ),
    Converter("Base64Decode", parameters("target: string"), base64_decode, "string"),
    Converter(
        "Decode",
        parameters("target: any, encoding: string"),
        _decode,
        "string",
        static=("encoding",),
    ),
)
