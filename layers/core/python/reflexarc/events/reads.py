"""What a part of the product reads of telemetry, said so that no rule takes it away from it.

Each slice declares its reads; the rules keep such items whatever they say, and a rule that would
take away all that somebody reads is refused when it is pushed, with the name of what it blinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reflexarc.events.otlp_batch import OtlpSignal


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One kind of item that somebody reads.

    `conditions` are OTTL, in the context of the signal's items; an item that meets one is read.
    `witnesses` are items that are read, as far as it matters: fields by their OTTL paths. A rule
    that certainly takes a witness away blinds its reader.
    """

    who: str
    signal: OtlpSignal
    conditions: tuple[str, ...]
    witnesses: tuple[Mapping[str, str | int | float], ...] = ()
