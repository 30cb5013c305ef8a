"""One line a node: which of its things are broken, in no more room than was set aside for it."""

from collections.abc import Iterable

from reflexarc.events.incident import Role
from reflexarc.notify import wording
from reflexarc.notify.extent import Device, Spot
from reflexarc.notify.hostile_text import code, mrkdwn, wire_width
from reflexarc.notify.slack_blocks import NAME

# Sixteen GPUs by PCI address, the largest node on sale: "16 GPUs: 19:00 3b:00 ...".
DEVICES = 112
_DEVICE, _KINDS_NAMED, _ROOM_FOR_REST = 24, 3, 6
_DECORATION = 24
_ROLES: dict[frozenset[Role], str] = {
    frozenset({"consequence"}): " (consequence)",
    frozenset({"echo"}): " (echo)",
}


def name_of(spot: Spot) -> str:
    """Return a node's name as lists show it."""
    return code(spot.name, NAME) or "`no name`"


def reserve(spot: Spot) -> int:
    """Return the room that a node's line may ever need: it depends on the name alone."""
    return wire_width(name_of(spot)) + DEVICES + _DECORATION


def counted(spot: Spot) -> str:
    """Return a node with how much of it is broken: "`node-7` 8 GPUs"."""
    devices = spot.open_devices or spot.devices
    return " ".join(part for part in (name_of(spot), _kinds(spot, devices)) if part)


def line(spot: Spot, well: str = "repaired") -> tuple[str, bool]:
    """Return a node with the names of what is broken there, and whether all could be named.

    `well` is the word for a node on which nothing is broken any more.
    """
    role = _ROLES.get(frozenset(thing.role for thing in spot.things), "")
    if not spot.open_devices:
        what = " ".join(part for part in (_kinds(spot, spot.devices), well) if part)
        return f"{wording.RESOLVED_SIGN} {name_of(spot)} {what}{role}", True
    what, whole = _named(spot)
    return f"{name_of(spot)}{f' {what}' if what else ''}{role}", whole


def _kinds(spot: Spot, devices: Iterable[Device]) -> str:
    by_kind = _grouped(devices)
    shown = [
        wording.things(kind, len(names))
        for kind, names in list(by_kind.items())[:_KINDS_NAMED]
        if not _says_itself(spot, kind)
    ]
    return ", ".join(shown)


def _named(spot: Spot) -> tuple[str, bool]:
    """Return what is broken by kind, then by name as far as there is room."""
    open_devices, all_devices = _grouped(spot.open_devices), _grouped(spot.devices)
    kinds = [kind for kind in open_devices if not _says_itself(spot, kind)]
    starts = [_start(kind, len(open_devices[kind]), len(all_devices[kind])) for kind in kinds]
    room = DEVICES - sum(len(start) + _ROOM_FOR_REST for start in starts[:_KINDS_NAMED])
    said, whole = [], len(kinds) <= _KINDS_NAMED
    for kind, start in zip(kinds[:_KINDS_NAMED], starts, strict=False):
        names, left = _fitting(sorted(open_devices[kind]), room)
        room -= sum(wire_width(name) + 1 for name in names)
        whole = whole and not left
        rest = [f"+{left}"] if left else []
        said.append(" ".join([f"{start}:", *names, *rest]) if names or rest else start)
    return ", ".join(said), whole


def _start(kind: str, still: int, ever: int) -> str:
    things = wording.things(kind, ever)
    return things if still == ever else f"{wording.number(still)} of {things}"


def _fitting(devices: list[str], room: int) -> tuple[list[str], int]:
    """Return the names that fit, and how many do not."""
    names: list[str] = []
    for device in devices:
        # Nearly every machine has one PCI domain: what is the same everywhere tells nothing.
        name = mrkdwn(device.removeprefix("0000:"), _DEVICE)
        room -= wire_width(name) + 1
        if room < 0:
            break
        names.append(name)
    return [name for name in names if name], len(devices) - len(names)


def _says_itself(spot: Spot, kind: str) -> bool:
    """Return whether the line's name is the thing already: a silent node, a rack."""
    return kind == "node" or not spot.things[0].entity.node


def _grouped(devices: Iterable[Device]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, device in devices:
        found.setdefault(kind, []).append(device)
    return found
