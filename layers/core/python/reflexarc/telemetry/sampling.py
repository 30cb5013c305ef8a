"""Consistent probability sampling, as OpenTelemetry specifies it. Pure.

An item is kept where its randomness R reaches the rule's threshold T, both of 56 bits; R comes from
the trace, so all spans of a trace that meet a rule are kept or go together, here and in every other
sampler that keeps to the specification. A kept item says its threshold, so that backends can count
what it stands for: 2^56 / (2^56 - T) items. A threshold that is there already is never lowered.

https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
"""

import hashlib
import re
from dataclasses import dataclass

BITS = 56
WHOLE = 1 << BITS
_DIGITS = BITS // 4
_OT = "ot"
_THRESHOLD = re.compile(r"[0-9a-f]{1,14}")
_RANDOM = re.compile(r"[0-9a-f]{14}")
# https://www.w3.org/TR/trace-context/#tracestate-header
_MEMBERS_MAX = 32
_BLANKS = " \t"
# https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/
_VALUE_MAX = 256
_TRACE_ID = 16
_RANDOM_BYTES = 7


@dataclass(frozen=True, slots=True)
class TraceState:
    """What a tracestate says of sampling, and the rest of it."""

    threshold: int | None = None
    randomness: int | None = None
    other_fields: tuple[str, ...] = ()
    other_members: tuple[str, ...] = ()

    def with_threshold(self, threshold: int) -> str:
        """Return the text of it with a threshold; what changed stands first, as W3C wants it."""
        fields = [f"th:{written(threshold)}"]
        if self.randomness is not None:
            fields.append(f"rv:{self.randomness:014x}")
        value = ";".join(fields)
        for field in self.other_fields:
            # A longer value is none to others: what does not fit goes, and not the threshold.
            if len(value) + len(field) < _VALUE_MAX:
                value += f";{field}"
        return ",".join([f"{_OT}={value}", *self.other_members[: _MEMBERS_MAX - 1]])


def threshold_of(probability: float) -> int:
    """Return the threshold below which randomness is not kept."""
    # From the share that is kept: a float holds one near zero exactly, and the rest of it not.
    return min(WHOLE - 1, max(0, WHOLE - round(probability * WHOLE)))


def written(threshold: int) -> str:
    """Return a threshold in hexadecimal, without the zeros at its end."""
    return f"{threshold:014x}".rstrip("0") or "0"


def adjusted_count(threshold: int) -> float:
    """Return how many items a kept one stands for."""
    return WHOLE / (WHOLE - threshold)


def read_trace_state(text: str) -> TraceState:
    """Return what a tracestate says; what makes no sense in it is left out."""
    threshold = randomness = None
    fields: list[str] = []
    members: list[str] = []
    for member in filter(None, (part.strip(_BLANKS) for part in text.split(","))):
        key, _, value = member.partition("=")
        if key != _OT:
            members.append(member)
            continue
        for pair in value.split(";"):
            name, _, said = pair.partition(":")
            if name == "th":
                threshold = threshold_from(said)
            elif name == "rv":
                randomness = randomness_from(said)
            elif pair:
                fields.append(pair)
    return TraceState(threshold, randomness, tuple(fields), tuple(members))


def randomness_of(trace_id: bytes, state: TraceState, item: bytes) -> int:
    """Return the randomness of an item: its trace's, or that of its bytes where it has no trace.

    An item that comes again has the same bytes, so it is kept or goes again.
    """
    if state.randomness is not None:
        return state.randomness
    if is_trace(trace_id):
        return int.from_bytes(trace_id[-_RANDOM_BYTES:], "big")
    return int.from_bytes(hashlib.blake2b(item, digest_size=_RANDOM_BYTES).digest(), "big")


def is_trace(trace_id: bytes) -> bool:
    """Return whether an id is one of a trace, as W3C has it."""
    return len(trace_id) == _TRACE_ID and any(trace_id)


def randomness_from(text: str) -> int | None:
    """Return the randomness that a text says, None where it says none."""
    return int(text, 16) if _RANDOM.fullmatch(text) else None


def threshold_from(text: str) -> int | None:
    """Return the threshold that a text says, None where it says none."""
    return int(text.ljust(_DIGITS, "0"), 16) if _THRESHOLD.fullmatch(text) else None
