"""What a finding of a node's rules deserves, and which thing it is about. Pure.

The node's rule decides that something is ill and how badly; this adds what it means, what to do,
and what the fleet wants judged differently. A rule that this version does not know is shown all
the same: agents may be newer than functions.
"""

import json
import re
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from reflexarc.events.gpu_faults import Finding
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.identity import bus_id, device_of
from reflexarc.gpu.model import FaultLine, Verdict
from reflexarc.gpu.rules import DEFAULT_POLICY, judge, wished

SECOND_WITNESS = "reported by NVML or DCGM; not seen in the kernel log"
_CODE = re.compile(r"(xid|sxid)/([0-9]{1,5})")
_LOST = "gpu/lost"
_UNKNOWN_MEANS = (
    "A rule of the node's agent found this. This version does not know the rule; it is shown "
    "because a new rule can be as grave as an old one."
)
_UNKNOWN_DO = "Read what was measured below, and update the functions to the agents' version."


def judge_finding(finding: Finding, policy: GpuPolicy = DEFAULT_POLICY) -> Verdict:
    """Return the verdict on one finding; every finding has one."""
    if finding.state == "cleared":
        return _well(finding)
    fault = fault_of(finding)
    if fault is not None:
        verdict = _second_witness(finding, fault, policy)
    else:
        known = known_rule(finding.rule)
        verdict = _unknown(finding) if known is None else _known(finding, known)
    return overridden(verdict, finding.rule, policy)


def fault_of(finding: Finding) -> FaultLine | None:
    """Return the fault that an Xid or SXid finding stands for, None for every other rule."""
    found = _CODE.fullmatch(finding.rule)
    if found is None:
        return None
    return FaultLine(
        kind="sxid" if found[1] == "sxid" else "xid",
        code=int(found[2]),
        pci=_device(finding) or None,
        process=finding.process,
        gpu_instance=_whole(finding, "gpu_instance"),
        compute_instance=_whole(finding, "compute_instance"),
        recovery_to=_whole(finding, "recovery_to"),
        link=_whole(finding, "link"),
    )


def entity_of(finding: Finding, node: str) -> Entity:
    """Return what a finding is about; one of an aspect is an incident of its own."""
    device = _device(finding)
    kind = "nvswitch" if finding.rule.startswith("sxid/") else finding.kind
    if kind == "gpu":
        device = device or "unknown"
    uuid = (finding.gpu_uuid or "") if kind == "gpu" else ""
    return Entity(kind=kind, node=node, device=device, uuid=uuid, aspect=finding.aspect)


def known_rule(rule: str) -> dict[str, Any] | None:
    """Return what the data say of a rule, None where they say nothing."""
    return _rules().get(rule)


def overridden(verdict: Verdict, rule: str, policy: GpuPolicy) -> Verdict:
    """Apply the fleet's wishes about a rule; a clear stays a clear."""
    wishes = reversed(policy.rules)
    return wished(verdict, next((wish for wish in wishes if wish.rule == rule), None))


def _second_witness(finding: Finding, fault: FaultLine, policy: GpuPolicy) -> Verdict:
    """Judge a fault of which no kernel line came as if one had come, and say so."""
    verdict = judge(fault, policy, process=finding.process, job=finding.job)
    return replace(verdict, marks=(*verdict.marks, SECOND_WITNESS))


def _known(finding: Finding, known: dict[str, Any]) -> Verdict:
    return Verdict(
        cause=finding.rule,
        severity=finding.severity,
        title=known["title"],
        meaning=known["meaning"],
        action=known["action"].replace("{pci}", bus_id(_device(finding))),
        owner=known["owner"],
        marks=("no Xid was seen",) if finding.rule == _LOST else (),
    )


def _unknown(finding: Finding) -> Verdict:
    return Verdict(
        cause=finding.rule,
        severity=max(finding.severity, Severity.WARNING, key=lambda severity: severity.rank),
        title=f"{finding.rule}: a rule that this version does not know",
        meaning=_UNKNOWN_MEANS,
        action=_UNKNOWN_DO,
        owner="oncall",
    )


def _well(finding: Finding) -> Verdict:
    title = _document()["wells"].get(finding.aspect, "What was found holds no longer")
    return Verdict(
        cause=finding.rule,
        severity=Severity.INFO,
        title=title,
        meaning="",
        action="",
        owner="oncall",
        clears=True,
    )


def _device(finding: Finding) -> str:
    """Return the device as every message spells it; a spelling that is none stays as it came."""
    if finding.kind not in {"gpu", "nvswitch"}:
        return finding.device
    try:
        return device_of(finding.device)
    except ValueError:
        return finding.device


def _whole(finding: Finding, name: str) -> int | None:
    """Return a measured number as an integer; None where it is absent or none."""
    value = finding.values.get(name)
    return int(value) if value is not None and float(value).is_integer() else None


@cache
def _document() -> dict[str, Any]:
    file = resources.files("reflexarc.gpu").joinpath("data", "findings.json")
    document: dict[str, Any] = json.loads(file.read_bytes())
    return document


@cache
def _rules() -> dict[str, dict[str, Any]]:
    return {raw["rule"]: raw for raw in _document()["rules"]}
