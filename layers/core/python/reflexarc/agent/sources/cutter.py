"""Cuts a stream of bytes into lines, none longer than a fault may be. Pure."""

from reflexarc.events.gpu_faults import LINE_MAX


class LineCutter:
    """Holds the bytes of the last, unfinished line."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    @property
    def held(self) -> int:
        """Return how many of the bytes fed belong to the line that is not finished."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that these bytes complete, without empty ones."""
        *whole, rest = (self._rest + data).split(b"\n")
        if self._skipping and whole:
            del whole[0]
            self._skipping = False
        lines = [text for raw in whole if (text := _decode(raw))]
        if len(rest) > LINE_MAX:
            # No kernel line is this long; what it may hold stands at its front.
            if not self._skipping:
                lines.append(_decode(rest))
            self._skipping = True
            rest = b""
        self._rest = b"" if self._skipping else rest
        return lines

    def finish(self) -> list[str]:
        """Return the last line, which no newline ended."""
        rest, self._rest = self._rest, b""
        return [text] if (text := _decode(rest)) else []


def _decode(raw: bytes) -> str:
    return raw[:LINE_MAX].decode("utf-8", "replace").rstrip("\r")
