"""Answers remembered by the bytes that they were worked out from.

A condition on one attribute is a function of the attribute's bytes, and few different values come
in most attributes: a look-up in C replaces decoding and comparing. Long values are not kept, and
all is forgotten where too many came.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from reflexarc.telemetry.plan.plain_attributes import Exact

Raw = TypeVar("Raw")
Answer = TypeVar("Answer")
REMEMBERED = 4_096
LONGEST = 256


class Memo(dict[Raw, Answer], Generic[Raw, Answer]):
    """Maps a raw value to an answer, working it out where it is new. Errors are not kept."""

    def __init__(self, work_out: Callable[[Raw], Answer]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, raw: Raw) -> Answer:
        """Work out the answer for a value that is new."""
        answer = self._work_out(raw)
        # What was read exactly must not answer for bytes that may be a part of something.
        if isinstance(raw, bytes) and (len(raw) > LONGEST or isinstance(raw, Exact)):
            return answer
        if len(self) >= REMEMBERED:
            self.clear()
        self[raw] = answer
        return answer
