"""A page of the DCGM exporter, line by line: a bad line costs that line only.

The lines themselves are parsed by prometheus_client, which gives up a whole page for one bad line.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from reflexarc.kernel.errors import Rejected

# What a line of the text format may begin with; HTML and logs begin otherwise.
# https://prometheus.io/docs/instrumenting/exposition_formats/
_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t{]")
# A node with 16 GPUs of 7 MIG instances each and every field on has 20,000 lines.
LINES_MAX = 50_000
# DCGM's blanks: 2^31 - 16 and 2^63 - 16 and up to 15 more (not found, not supported, no right),
# 2^47 for floating point. https://github.com/NVIDIA/DCGM/blob/master/dcgmlib/dcgm_fields.h
_BLANK_INT32 = range(0x7FFFFFF0, 0x80000000)
_BLANK_FROM = float(1 << 47)
# How names of fields begin.
FAMILIES = ("DCGM_FI_", "DCGM_EXP_")
STARTED = "process_start_time_seconds"


@dataclass(frozen=True, slots=True)
class Row:
    """One series of the page; `value` is a finite number that was really read."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page says, and what of it could not be read.

    `others` are series of fields that nobody asked for.
    """

    rows: tuple[Row, ...]
    started: float | None = None
    garbage: int = 0
    not_numbers: int = 0
    repeated: int = 0
    others: int = 0
    torn: bool = False


def read_page(text: str, wanted: Collection[str]) -> Page:
    """Return the wanted series of a page; raises Rejected without prometheus_client."""
    lines = text.split("\n")
    # A line without its end may be half a number.
    torn = bool(lines.pop())
    chosen: list[str] = []
    garbage = max(len(lines) - LINES_MAX, 0)
    others = 0
    for line in lines[:LINES_MAX]:
        if not line.strip() or line.startswith("#"):
            continue
        if (begun := _LINE.match(line)) is None:
            garbage += 1
        elif begun[1] == STARTED or begun[1] in wanted:
            chosen.append(line)
        else:
            others += begun[1].startswith(FAMILIES)
    samples, unparsed = _samples(chosen)
    return _page(samples, garbage=garbage + unparsed, torn=torn, others=others)


def is_blank(value: float) -> bool:
    """Tell whether DCGM says with this number that it has none."""
    return abs(value) >= _BLANK_FROM or value in _BLANK_INT32


def _page(samples: Iterable[Any], *, garbage: int, torn: bool, others: int) -> Page:
    rows: dict[tuple[str, frozenset[tuple[str, str]]], Row] = {}
    started: float | None = None
    not_numbers = repeated = 0
    for sample in samples:
        if not math.isfinite(sample.value):
            not_numbers += 1
        elif sample.name == STARTED:
            started = sample.value
        elif not is_blank(sample.value):
            key = (sample.name, frozenset(sample.labels.items()))
            repeated += key in rows
            rows.setdefault(key, Row(sample.name, sample.labels, sample.value))
    return Page(
        rows=tuple(rows.values()),
        started=started,
        garbage=garbage,
        not_numbers=not_numbers,
        repeated=repeated,
        others=others,
        torn=torn,
    )


def _samples(lines: list[str]) -> tuple[list[Any], int]:
    """Return the samples of these lines and how many lines are none."""
    parse = parser()
    try:
        return _parsed(parse, "\n".join(lines)), 0
    except (ValueError, KeyError, IndexError):
        pass
    samples: list[Any] = []
    bad = 0
    for line in lines:
        try:
            samples += _parsed(parse, line)
        except (ValueError, KeyError, IndexError):
            bad += 1
    return samples, bad


def _parsed(parse: Callable[[str], Any], text: str) -> list[Any]:
    return [sample for family in parse(text) for sample in family.samples]


@cache
def parser() -> Callable[[str], Any]:
    """Return prometheus_client's parser; raises Rejected where it is not installed."""
    try:
        from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415
    except ImportError as error:
        raise Rejected(
            "the DCGM exporter's page cannot be read without prometheus-client:"
            " pip install 'reflexarc[agent]'"
        ) from error
    return text_string_to_metric_families
