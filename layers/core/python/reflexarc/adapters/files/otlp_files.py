"""Reads export requests from files: protobuf, JSON or a JSON document a line, plain or packed."""

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.packing import UNPACKED_MAX, encoding_of
from reflexarc.telemetry.recorded import Batch, of_json, of_protobuf

if TYPE_CHECKING:
    from typing_extensions import Buffer

_LOOKED_AT = 64
_BUFFER = 1024 * 1024
# A few bytes of zstd may unpack to 128 KiB.
_FED = 4 * 1024


@dataclass(frozen=True, slots=True)
class OtlpFiles:
    """Files of export requests, in the order given; of one signal alone where one is named.

    It is also what requests in protobuf are, where neither they nor their names tell.
    """

    files: list[Path]
    signal: OtlpSignal | None = None

    @property
    def size(self) -> int:
        """Return how many bytes there are to read."""
        return sum(file.stat().st_size for file in self.files)

    def batches(self, progress: Callable[[int], None] = lambda _: None) -> Iterator[Batch]:
        """Yield every request; raises Rejected where a file holds something else.

        `progress` is told how many bytes of the files were read so far.
        """
        before = 0
        for file in self.files:
            with file.open("rb") as raw, _readable(str(file)):
                content = _unpacked(raw)
                for batch in self._of(content, str(file)):
                    if self.signal in {None, batch.signal}:
                        yield batch
                    progress(before + raw.tell())
            before += file.stat().st_size
            progress(before)

    def _of(self, content: io.BufferedReader, name: str) -> Iterator[Batch]:
        begin = content.peek(_LOOKED_AT)[:_LOOKED_AT].lstrip()
        if begin.startswith((b"{", b"[")):
            yield from of_json(content, name)
        else:
            yield from of_protobuf(content, name, self.signal)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Say of which file a packed content cannot be read."""
    try:
        yield
    except (EOFError, OSError, zstandard.ZstdError) as error:
        raise Rejected(f"{name}: {error}") from error


def _unpacked(raw: BinaryIO) -> io.BufferedReader:
    """Return the content of a file, unpacked while it is read."""
    begin = raw.read(_LOOKED_AT)
    raw.seek(0)
    match encoding_of(begin):
        case "gzip":
            stream = cast("io.RawIOBase", gzip.GzipFile(fileobj=raw))
        case "zstd":
            stream = _Unzstd(raw)
        case "identity":
            return cast("io.BufferedReader", raw)
    return io.BufferedReader(stream, _BUFFER)


class _Unzstd(io.RawIOBase):
    """The content of zstd frames one behind the other; unlike zstandard's own, it sees their end.

    https://python-zstandard.readthedocs.io/en/latest/decompressor.html
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._frames = zstandard.ZstdDecompressor(max_window_size=UNPACKED_MAX)
        self._frame = self._frames.decompressobj()
        self._begun = False
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        """Fill a buffer; raises EOFError where the last frame has no end."""
        view = memoryview(buffer)
        while not self._ready and (packed := self._frame.unused_data or self._raw.read(_FED)):
            if self._frame.eof:
                self._frame = self._frames.decompressobj()
            self._ready = self._frame.decompress(packed)
            self._begun = True
        if not self._ready and self._begun and not self._frame.eof:
            raise EOFError("the zstd file is cut off")
        size = min(len(view), len(self._ready))
        view[:size], self._ready = self._ready[:size], self._ready[size:]
        return size
