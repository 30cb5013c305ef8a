"""Everything known about one code, as one document for people and programs. Pure."""

from typing import Any, Literal

from reflexarc.events.severity import Severity
from reflexarc.gpu import catalog
from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.rules import NVLINK5, RECOVERY, judge

ANY_GPU = "<PCI address>"

_BLAME = {
    "hardware": "the hardware: GPU, power, heat, slot or board",
    "memory": "the GPU's memory",
    "nvlink": "NVLink: the GPU, its cable or bridge, or the device at the other end",
    "driver": "the driver or the GPU's firmware",
    "power": "power or cooling",
    "application": "the job's own code",
}
_EFFECT = {
    Severity.CRITICAL: "pages now",
    Severity.WARNING: "a message; nobody is woken",
    Severity.INFO: "recorded with its incident; never pages alone",
}
_USABLE = {
    "yes": "yes",
    "no": "no, until the action is done",
    "depends": "depends on what the line says",
    "unknown": "unknown",
}
_STATE = {
    "documented": "",
    "legacy": "Old: current drivers leave this number unused.",
    "sentinel": "A marker, not a fault.",
    "header-only": "Only its name is public.",
    "third-party": "Known from another tool's tests only.",
}


def explain(kind: Literal["xid", "sxid"], code: int) -> dict[str, Any]:
    """Return what is known about a code; `known` is False where that is nothing."""
    if kind == "xid":
        known = catalog.xid(code)
        return _unknown(kind, code) if known is None else _xid(known)
    switch = catalog.sxid(code)
    return _unknown(kind, code) if switch is None else _sxid(switch)


def _unknown(kind: Literal["xid", "sxid"], code: int) -> dict[str, Any]:
    verdict = judge(FaultLine(kind=kind, code=code))
    return {
        "kind": kind,
        "code": code,
        "known": False,
        "title": verdict.title,
        "meaning": verdict.meaning,
        "severity": verdict.severity.value,
        "effect": _EFFECT[verdict.severity],
        "owner": verdict.owner,
        "action": verdict.action,
    }


def _xid(known: catalog.Xid) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": "xid",
        "code": known.code,
        "known": True,
        "name": known.name,
        "title": known.title,
        "meaning": known.means,
        "likely_fault": _blame(known),
        "severity": known.severity.value,
        "effect": _effect(known),
        "owner": known.owner,
        "action": known.do.replace("{pci}", ANY_GPU),
        "gpu_usable": _USABLE[known.usable],
        "cards": list(known.cards),
        "caveats": [text for text in (known.mark, known.note, _STATE[known.state]) if text],
        "nvidia": None,
        "peers": dict(catalog.peer_words(*says) for says in known.peers.items()),
        "sources": _sources("xid", known.refs),
    }
    if known.nvidia is not None:
        later = known.nvidia.later
        facts["nvidia"] = {
            "now": catalog.bucket(known.nvidia.now),
            "later": None if later is None else catalog.bucket(later),
            "announced_by_154_since": known.announced_by_154_since or None,
        }
    if known.code == RECOVERY:
        facts["recovery_actions"] = [
            {
                "code": f"0x{action.code:x}",
                "title": action.title,
                "printed_as": list(action.words),
                "action": action.do.replace("{pci}", ANY_GPU),
            }
            for action in catalog.recoveries()
        ]
    if known.code in NVLINK5:
        facts["nvlink5_rules"] = [_nvlink_rule(raw) for raw in catalog.nvlink_rules(known.code)]
    return facts


def _sxid(known: catalog.Sxid) -> dict[str, Any]:
    return {
        "kind": "sxid",
        "code": known.code,
        "known": True,
        "name": known.name,
        "title": known.title,
        "meaning": f"Reported by {known.unit}: {known.title}.",
        "likely_fault": "the NVSwitch, one of its links, or the GPU at the other end",
        "severity": known.severity.value,
        "effect": f"{_EFFECT[known.severity]}, unless the line says Fatal or Non-fatal itself",
        "owner": "oncall",
        "action": known.do,
        "caveats": [
            text
            for text in (
                "GPUs on the link may report Xid 74 as an echo." if known.xid74 else "",
                known.note,
            )
            if text
        ],
        "nvidia": {"guide": known.guide or None, "driver": known.driver or None},
        "peers": {"gpud": known.gpud.replace("+", ", ")} if known.gpud else {},
        "sources": _sources("sxid", known.refs),
    }


def _effect(known: catalog.Xid) -> str:
    if known.code in NVLINK5:
        return "a fatal report pages, a nonfatal one warns or is recorded, by NVIDIA's table"
    if known.code == RECOVERY:
        return "pages, and joins the incident of its GPU; a change to 0x0 resolves it"
    return _EFFECT[known.severity]


def _blame(known: catalog.Xid) -> str:
    if known.app == "yes":
        return f"{_BLAME['application']}; the hardware only if it follows one GPU from job to job"
    blame = _BLAME[known.area]
    if known.app == "maybe" and known.area != "application":
        return f"{blame}; the job's own code is possible"
    return blame


def _nvlink_rule(raw: dict[str, Any]) -> dict[str, Any]:
    unit = "/".join(raw["units"])
    register = int(raw["from_r575"][1], 16)
    return {
        "unit": unit,
        "status": raw.get("status", []),
        "link_down_reason": register >> 20 & 0x3F if "LINK" in unit else None,
        "word": raw["word"],
        "now": catalog.bucket(raw["now"]),
        "afterwards": catalog.bucket(raw["later"]),
    }


def _sources(kind: Literal["xid", "sxid"], refs: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {"title": title, "url": url} for title, url in (catalog.source(kind, ref) for ref in refs)
    ]
