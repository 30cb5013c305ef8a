"""What the exporter's page says about Xids and SXids since the last page. Pure but for its memory.

DCGM_FI_DEV_XID_ERRORS is the last code, sticky until the exporter restarts, so a value alone says
nothing: https://github.com/NVIDIA/dcgm-exporter/issues/500. DCGM_EXP_XID_ERRORS_COUNT counts the
codes of the last minutes (--xid-count-window-size, 5 minutes) and falls as they age out;
DCGM_EXP_XID_ERRORS_TOTAL counts since the exporter's start. Only growth is news. A series that
begins is news only where the same device was on the page before.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.adapters.dcgm.fields import DEVICES_MAX, instance_of, pci_of, uuid_of
from reflexarc.adapters.dcgm.page import Page, Row
from reflexarc.gpu.identity import device_of
from reflexarc.gpu.watch.model import XidSeen

LAST = "DCGM_FI_DEV_XID_ERRORS"
WINDOW = "DCGM_EXP_XID_ERRORS_COUNT"
TOTAL = "DCGM_EXP_XID_ERRORS_TOTAL"
FATAL = "DCGM_FI_DEV_NVSWITCH_FATAL_ERRORS"
NON_FATAL = "DCGM_FI_DEV_NVSWITCH_NON_FATAL_ERRORS"
# Where a switch sits, in four fields of its own. Without them the page names a switch by a number
# that the kernel log does not know.
_PLACE = "DCGM_FI_DEV_NVSWITCH_PCIE_"
_PLACES = frozenset(_PLACE + part for part in ("DOMAIN", "BUS", "DEVICE", "FUNCTION"))
XIDS = frozenset({LAST, WINDOW, TOTAL})
SXIDS = frozenset({FATAL, NON_FATAL})
WANTED = XIDS | SXIDS | _PLACES
# NVIDIA numbers Xids below 1,000 and SXids in five digits.
_CODE_MAX = 100_000
# A host engine that outlives the exporter tells it the old code anew.
REMEMBERS_S = 60.0
_CODES_MAX = 4_096


@dataclass(slots=True)
class _Last:
    """The code that stands on a device's gauge, and the one that stood there before a restart."""

    code: int
    before: int = 0
    reset_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Said:
    """One code on one device's page, and how often."""

    device: str
    uuid: str
    code: int
    count: int


@dataclass(slots=True, kw_only=True)
class Witness:
    """Compares each page with the one before. The first, and one after a restart, is no news."""

    _started: float | None = None
    _last: dict[tuple[str, str], _Last] = field(default_factory=dict)
    _counted: dict[tuple[str, str, int], int] = field(default_factory=dict)
    _known: set[tuple[str, str]] = field(default_factory=set)
    unplaced: frozenset[str] = frozenset()

    def look(
        self, page: Page, device: Callable[[Row], str | None], now: datetime, seconds: float
    ) -> tuple[XidSeen, ...]:
        """Return what happened since the last page."""
        self._forget_after_restart(page)
        seen: dict[tuple[str, int], XidSeen] = {}
        rows = [(found, row) for row in page.rows if row.name in XIDS and (found := device(row))]
        # Counts first: where they tell of a code, the gauge's change tells of the same.
        for name in (TOTAL, WINDOW):
            for said in self._grown(rows, name):
                _add(seen, said, now)
        for said in self._changed(rows, seconds):
            _add(seen, said, now)
        return (*seen.values(), *self._switches(page, now, seconds))

    def _forget_after_restart(self, page: Page) -> None:
        if page.started is None:
            return
        if self._started is not None and page.started != self._started:
            self._counted.clear()
            self._last.clear()
            self._known.clear()
        self._started = page.started

    def _grown(self, rows: Iterable[tuple[str, Row]], name: str) -> list[_Said]:
        counts: dict[tuple[str, str, int], tuple[Row, int]] = {}
        present: set[str] = set()
        for device, row in rows:
            if row.name != name:
                continue
            present.add(device)
            if code := _code(row.labels.get("xid", "")):
                key = (name, device, code)
                # MIG repeats the whole GPU's count on each instance's row.
                counts[key] = max(
                    counts.get(key, (row, 0)), (row, int(row.value)), key=lambda pair: pair[1]
                )
        grown = []
        for key, (row, count) in counts.items():
            more = count - self._counted.get(key, 0)
            if more > 0 and (name, key[1]) in self._known:
                grown.append(_Said(key[1], uuid_of(row.labels), key[2], more))
        self._keep(name, present, {key: count for key, (_, count) in counts.items()})
        return grown

    def _keep(self, name: str, present: set[str], counts: dict[tuple[str, str, int], int]) -> None:
        """Remember the counts of devices that were on this page; a code that aged out is at 0."""
        for key in [each for each in self._counted if each[0] == name and each[1] in present]:
            del self._counted[key]
        if len(self._counted) < _CODES_MAX:
            self._counted |= counts
        if len(self._known) < 2 * DEVICES_MAX:
            self._known |= {(name, device) for device in present}

    def _changed(self, rows: Iterable[tuple[str, Row]], seconds: float) -> list[_Said]:
        said: list[_Said] = []
        told: set[str] = set()
        for device, row in rows:
            if row.name != LAST:
                continue
            instance = instance_of(row.labels)
            place = device if instance is None else f"{device}/{instance}"
            code = int(row.value)
            if self._is_news((LAST, place), code, seconds) and device not in told:
                told.add(device)
                said.append(_Said(device, uuid_of(row.labels), code, 1))
        return said

    def _is_news(self, key: tuple[str, str], code: int, seconds: float) -> bool:
        """Tell whether a gauge shows another code than before, and not an old one told anew."""
        if not 0 <= code < _CODE_MAX:
            return False
        known = self._last.get(key)
        if known is None:
            if len(self._last) < _CODES_MAX:
                self._last[key] = _Last(code)
            return False
        if code == known.code:
            return False
        if code == 0:
            self._last[key] = _Last(0, before=known.code, reset_at=seconds)
            return False
        told_anew = (
            known.code == 0 and code == known.before and seconds - known.reset_at <= REMEMBERS_S
        )
        self._last[key] = _Last(code)
        return not told_anew

    def _switches(self, page: Page, now: datetime, seconds: float) -> list[XidSeen]:
        places = _places(page.rows)
        seen: list[XidSeen] = []
        unplaced: set[str] = set()
        for row in page.rows:
            if row.name not in SXIDS:
                continue
            name = row.labels.get("nvswitch", "")[:64]
            code = int(row.value)
            news = self._is_news((row.name, name), code, seconds)
            device = pci_of(row.labels) or places.get(name, "")
            if not device:
                unplaced.add(name)
            elif news:
                seen.append(XidSeen(witness="dcgm", device=device, code=code, at=now, sxid=True))
        self.unplaced = frozenset(unplaced)
        return seen


def _add(seen: dict[tuple[str, int], XidSeen], said: _Said, now: datetime) -> None:
    seen.setdefault(
        (said.device, said.code),
        XidSeen(
            witness="dcgm",
            device=said.device,
            uuid=said.uuid,
            code=said.code,
            at=now,
            count=said.count,
        ),
    )


def _code(printed: str) -> int:
    if not (printed.isascii() and printed.isdigit() and len(printed) <= 6):  # noqa: PLR2004
        return 0
    return int(printed) if int(printed) < _CODE_MAX else 0


def _places(rows: Iterable[Row]) -> dict[str, str]:
    """Return the PCI address of each switch that tells all of it."""
    parts: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.name in _PLACES and 0 <= row.value < 1 << 16:
            switch = row.labels.get("nvswitch", "")[:64]
            parts.setdefault(switch, {})[row.name.removeprefix(_PLACE)] = int(row.value)
    return {
        switch: device_of(
            f"{of['DOMAIN']:04x}:{of['BUS']:02x}:{of['DEVICE']:02x}.{of.get('FUNCTION', 0)}"
        )
        for switch, of in parts.items()
        if {"DOMAIN", "BUS", "DEVICE"} <= of.keys()
    }
