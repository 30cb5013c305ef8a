"""Which incidents a condition is about: labels, and patterns with * and ?. Pure."""

from collections.abc import Mapping

from reflexarc.events.incident import Incident
from reflexarc.incidents.document import Match

# What an incident says of itself: a label that a node sends under such a name counts for nothing.
OWN = frozenset(
    {"severity", "owner", "cause", "kind", "node", "device", "aspect", "job", "job_owner"}
)


def labels_of(incident: Incident) -> dict[str, str]:
    """Return what conditions may name of an incident; what is empty is absent."""
    job = incident.job
    own = {
        "severity": incident.severity.value,
        "owner": incident.owner,
        "cause": incident.cause,
        "kind": incident.entity.kind,
        "node": incident.entity.node,
        "device": incident.entity.device,
        "aspect": incident.entity.aspect,
        "job": job.id if job else "",
        "job_owner": job.owner if job else "",
    }
    sent = {name: value for name, value in incident.labels.items() if name not in OWN}
    return {name: value for name, value in (sent | own).items() if value}


def matches(match: Match, incident: Incident, *, any_cause: bool = False) -> bool:
    """Return whether every stated condition holds for an incident.

    `causes` are compared with the gravest cause; with `any_cause`, with all of them: what decides
    who is told had better look at all, what keeps people from being told at the gravest alone.
    """
    causes = [incident.cause]
    if any_cause:
        causes += [cause.cause for cause in incident.causes]
    return (
        (not match.severity or incident.severity in match.severity)
        and (not match.owner or incident.owner in match.owner)
        and (not match.causes or any(fits(p, cause) for p in match.causes for cause in causes))
        and (not match.labels or matches_labels(match.labels, labels_of(incident)))
    )


def matches_labels(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Return whether every wanted label is there with a value that fits; "" wants it absent."""
    return all(
        fits(pattern, labels[name]) if labels.get(name) else not pattern
        for name, pattern in wanted.items()
    )


def fits(pattern: str, text: str) -> bool:
    """Return whether the whole text fits: * stands for any text, ? for one character.

    The work grows with the product of both lengths at worst; there is no backtracking beyond the
    last star, so no pattern is catastrophic.
    """
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    at = here = 0
    star, resume = -1, 0
    while here < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in {"?", text[here]}:
            at += 1
            here += 1
        elif star >= 0:
            at, resume = star + 1, resume + 1
            here = resume
        else:
            return False
    return not pattern[at:].strip("*")


def misses(match: Match, incident: Incident, *, any_cause: bool = False) -> tuple[str, ...]:
    """Return, in words, which conditions do not hold: none exactly when `matches` is true."""
    parts = (
        (Match(severity=match.severity), "severity is", incident.severity.value, match.severity),
        (Match(owner=match.owner), "owner is", incident.owner, match.owner),
        (Match(causes=match.causes), "cause is", incident.cause, match.causes),
    )
    said = [
        f"{what} {found}, not {' or '.join(wanted)}"
        for part, what, found, wanted in parts
        if not matches(part, incident, any_cause=any_cause)
    ]
    labels = labels_of(incident)
    for name, pattern in match.labels.items():
        if not matches_labels({name: pattern}, labels):
            found = f"is {labels[name]}" if name in labels else "is absent"
            said.append(f"label {name} {found}, not {pattern or 'absent'}")
    return tuple(said)
