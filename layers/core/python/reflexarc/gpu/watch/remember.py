"""What a device under watch must not forget over a restart of the agent, as JSON and back."""

from collections.abc import Mapping
from typing import Any

from reflexarc.events.severity import Severity
from reflexarc.gpu.watch.hold import Hold
from reflexarc.gpu.watch.room import Room


def of_room(room: Room) -> dict[str, Any]:
    """Return the aspects that hold or were told, by name."""
    return {
        "uuid": room.uuid,
        "aspects": {
            name: {
                "active": dict(each.active),
                "told": each.told,
                "rule": each.rule,
                "flapping": each.flapping,
            }
            for name, each in room.aspects.items()
            if each.active or each.told is not None
        },
    }


def put_back(room: Room, saved: Mapping[str, Any], *, untold: bool) -> None:
    """Put what was saved into a room.

    What holds and was not told yet is forgotten, so that it is raised anew, unless `untold`: then
    it was told as part of something greater.
    """
    room.uuid = str(saved.get("uuid", ""))
    for name, state in saved.get("aspects", {}).items():
        if state["told"] is None and not untold:
            continue
        aspect = room.aspect(name)
        aspect.told = None if state["told"] is None else Severity(state["told"])
        aspect.rule, aspect.flapping = str(state["rule"]), bool(state["flapping"])
        for rule, severity in state["active"].items():
            aspect.active[rule] = Severity(severity)
            room.holds[rule] = Hold(active=True)
