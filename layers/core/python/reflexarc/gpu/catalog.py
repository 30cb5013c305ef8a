"""The catalogue of Xids, SXids, NVLink 5 reports and recovery actions, read from data once."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from reflexarc.events.severity import Severity
from reflexarc.gpu.model import FaultLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvidia:
    """NVIDIA's own advice by the names that its catalogue gives it."""

    now: str
    later: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid:
    """What one Xid means and asks for. `do` is an instruction; {pci} in it is the address."""

    code: int
    name: str
    title: str
    means: str
    area: str
    severity: Severity
    action: str
    do: str
    usable: Literal["yes", "no", "depends", "unknown"]
    app: Literal["yes", "no", "maybe"]
    owner: Literal["oncall", "job"]
    mark: str
    note: str
    cards: tuple[str, ...]
    state: str
    nvidia: Nvidia | None
    announced_by_154_since: str
    peers: dict[str, str]
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sxid:
    """What one SXid means and asks for, where the line itself does not say."""

    code: int
    name: str
    unit: str
    title: str
    severity: Severity
    action: str
    do: str
    guide: str
    driver: str
    gpud: str
    xid74: bool
    note: str
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """One recovery action that Xid 154 announces by its number."""

    code: int
    name: str
    title: str
    do: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NvlinkRule:
    """What NVIDIA's table says about one NVLink 5 report."""

    word: Literal["fatal", "link-fatal", "nonfatal"]
    now: str
    later: str
    promoted: bool


def xid(code: int) -> Xid | None:
    """Return what is known about an Xid, or None."""
    raw = _by_code("xid.json", "xids").get(code)
    if raw is None:
        return None
    action = raw["action"]
    return Xid(
        code=code,
        name=raw["name"],
        title=raw["title"],
        means=raw["means"],
        area=raw["area"],
        severity=Severity(raw["severity"]),
        action=action,
        do=raw.get("do") or action_text(action),
        usable=raw["usable"],
        app=raw["app"],
        owner=raw.get("owner", "oncall"),
        mark=raw.get("mark", ""),
        note=raw.get("note", ""),
        cards=tuple(raw["cards"]),
        state=raw["state"],
        nvidia=Nvidia(**raw["nvidia"]) if "nvidia" in raw else None,
        announced_by_154_since=raw.get("announced_by_154_since", ""),
        peers=raw.get("peers", {}),
        refs=tuple(raw["refs"]),
    )


def sxid(code: int) -> Sxid | None:
    """Return what is known about an SXid, or None."""
    raw = _by_code("sxid.json", "sxids").get(code)
    if raw is None:
        return None
    action = raw["action"]
    return Sxid(
        code=code,
        name=raw["name"],
        unit=_document("sxid.json")["units"][raw["unit"]],
        title=raw["title"],
        severity=Severity(raw["severity"]),
        action=action,
        do=switch_action_text(action),
        guide=raw.get("guide", ""),
        driver=raw.get("driver", ""),
        gpud=raw.get("gpud", ""),
        xid74=raw.get("xid74", False),
        note=raw.get("note", ""),
        refs=tuple(raw["refs"]),
    )


def recovery(code: int) -> Recovery | None:
    """Return the recovery action that Xid 154 names by this number, or None."""
    raw = _by_code("xid.json", "recovery").get(code)
    if raw is None:
        return None
    return Recovery(
        code=code, name=raw["name"], title=raw["title"], do=raw["do"], words=tuple(raw["words"])
    )


def recoveries() -> tuple[Recovery, ...]:
    """Return every recovery action, by number."""
    known = (recovery(code) for code in sorted(_by_code("xid.json", "recovery")))
    return tuple(action for action in known if action is not None)


def nvlink_rule(fault: FaultLine) -> NvlinkRule | None:
    """Return NVIDIA's rule for an NVLink 5 report, or None when its table has none.

    The place of the unit's number inside the first register moved with driver r575; a line does
    not name its driver, and the unit's name is on the line, so either place counts.
    """
    if fault.nvlink_unit is None or fault.intr_info is None:
        return None
    units = {unit.strip().upper() for unit in fault.nvlink_unit.split("/")}
    register = int(fault.intr_info, 16)
    status = None if fault.error_status is None else int(fault.error_status, 16)
    for raw in _document("xid.json")["nvlink5"]:
        if raw["xid"] != fault.code or units.isdisjoint(unit.upper() for unit in raw["units"]):
            continue
        if "status" in raw and status not in {int(known, 16) for known in raw["status"]}:
            continue
        promoted = raw.get("promoted")
        if promoted is not None and _fits(promoted, register):
            return NvlinkRule(
                word=raw["word"], now=promoted["now"], later=raw["later"], promoted=True
            )
        if _fits(raw, register):
            return NvlinkRule(word=raw["word"], now=raw["now"], later=raw["later"], promoted=False)
    return None


def nvlink_rules(code: int) -> tuple[dict[str, Any], ...]:
    """Return NVIDIA's rules for one NVLink 5 Xid, as the data have them."""
    return tuple(raw for raw in _document("xid.json")["nvlink5"] if raw["xid"] == code)


def action_text(action: str) -> str:
    """Return the instruction for a kind of action on a GPU."""
    return str(_document("xid.json")["actions"][action])


def switch_action_text(action: str) -> str:
    """Return the instruction for a kind of action on a switch."""
    return str(_document("sxid.json")["actions"][action])


def bucket(name: str) -> str:
    """Return in words what NVIDIA calls by this name."""
    return str(_document("xid.json")["buckets"].get(name, name))


def peer_words(peer: str, says: str) -> tuple[str, str]:
    """Return a peer's name and, in words, what it does about a code."""
    known = _document("xid.json")["peers"][peer]
    return known["name"], ", ".join(known["words"][part] for part in says.split("+"))


def source(kind: Literal["xid", "sxid"], ref: str) -> tuple[str, str]:
    """Return title and address of a source."""
    raw = _document(f"{kind}.json")["sources"][ref]
    return raw["title"], raw["url"]


def codes(kind: Literal["xid", "sxid"]) -> tuple[int, ...]:
    """Return every code that the catalogue knows."""
    return tuple(_by_code(f"{kind}.json", f"{kind}s"))


def _fits(patterns: dict[str, list[str]], register: int) -> bool:
    return any(
        register & int(mask, 16) == int(value, 16)
        for mask, value in (patterns["before_r575"], patterns["from_r575"])
    )


@cache
def _document(name: str) -> dict[str, Any]:
    file = resources.files("reflexarc.gpu").joinpath("data", name)
    document: dict[str, Any] = json.loads(file.read_bytes())
    return document


@cache
def _by_code(name: str, part: str) -> dict[int, dict[str, Any]]:
    return {raw["code"]: raw for raw in _document(name)[part]}
