"""Unpacks zstd within bounds: no frame grows beyond what is allowed; one frame is all there is."""

import zstandard

from reflexarc.kernel.errors import Rejected

# So much at a time: four bytes may unpack to 128 KiB, so this is 16 MiB at the worst.
# https://github.com/facebook/zstd/blob/dev/doc/zstd_compression_format.md#blocks
_FED = 512


class TooLarge(Rejected):
    """It unpacks to more than is allowed."""


def unzstd(body: bytes, most: int) -> bytes:
    """Return the content of the one frame that a body is, of so many bytes at most.

    Raises TooLarge, or Rejected where it is no such frame. Whoever reads the body after us must
    find the same in it, so nothing may stand behind the frame.
    """
    # A window of a writer that knows no size may be as large as the content.
    unpacker = zstandard.ZstdDecompressor(max_window_size=most)
    try:
        frame = zstandard.get_frame_parameters(body)
        told = frame.content_size != zstandard.CONTENTSIZE_UNKNOWN
        if frame.window_size > most or (told and frame.content_size > most):
            raise _too_large(most)
        if told:
            return unpacker.decompress(body, allow_extra_data=False)
        return _streamed(body, unpacker, most)
    except zstandard.ZstdError as error:
        raise Rejected(f"not one frame of zstd: {error}") from error


def _streamed(body: bytes, unpacker: zstandard.ZstdDecompressor, most: int) -> bytes:
    """Return the content of a frame that does not say how large it is, as streams write it."""
    stream = unpacker.decompressobj()
    chunks: list[bytes] = []
    size = 0
    for start in range(0, len(body), _FED):
        chunks.append(stream.decompress(body[start : start + _FED]))
        size += len(chunks[-1])
        if size > most:
            raise _too_large(most)
        if stream.eof:
            if stream.unused_data or start + _FED < len(body):
                raise Rejected("not one frame of zstd: bytes follow its end")
            return b"".join(chunks)
    raise Rejected("not one frame of zstd: it is cut off")


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"it unpacks to more than {most:,} bytes")
