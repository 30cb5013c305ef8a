"""Unpacks a body within bounds: no archive grows beyond what is allowed. Pure."""

import zlib

from reflexarc.ingest.model import Refused

# A function URL takes a payload of 6 MB; a binary body is a third longer in base64, on the way in.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
PACKED_MAX = 6 * 1024 * 1024
UNPACKED_MAX = 8 * 1024 * 1024
_GZIP = zlib.MAX_WBITS | 16


def unpacked(body: bytes, encoding: str) -> str:
    """Return the text of a body; raises Refused where it is too large or not what it says."""
    if len(body) > PACKED_MAX:
        raise Refused(413, f"the body has more than {PACKED_MAX:,} bytes: send fewer messages")
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip":
            plain = gunzipped(body, UNPACKED_MAX)
        case other:
            raise Refused(415, f"content-encoding {other[:40]!r} is not known: gzip, or none")
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8 (byte {error.start})") from error


def gunzipped(body: bytes, most: int) -> bytes:
    """Return what a gzip body holds; raises Refused beyond so many bytes, before they are there."""
    archive = zlib.decompressobj(_GZIP)
    try:
        plain = archive.decompress(body, most + 1)
    except zlib.error as error:
        raise Refused(400, f"the body is not gzip: {error}") from error
    if len(plain) > most:
        raise Refused(413, f"the body unpacks to more than {most:,} bytes")
    if not archive.eof:
        raise Refused(400, "the gzip body is cut off")
    if archive.unused_data:
        # A second member would be a second chance to hide something; no client of ours writes one.
        raise Refused(400, "bytes follow the end of the gzip body")
    return plain
