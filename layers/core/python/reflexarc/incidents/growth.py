"""How an incident takes in one signal: what is counted, what leads, what is remembered. Pure."""

from datetime import datetime, timedelta

from reflexarc.events.incident import (
    BOOTS_MAX,
    CAUSES_MAX,
    JOBS_MAX,
    OPENINGS_MAX,
    WAS_MAX,
    WHY_MAX,
    Cause,
    Incident,
    PageRef,
)
from reflexarc.events.severity import Severity
from reflexarc.events.signal import APPLICATION, Order, Signal
from reflexarc.incidents.limits import join_labels, join_marks, shown
from reflexarc.incidents.model import Effect

FLAP_WITHIN = timedelta(hours=1)
# So many jobs in a row that fail on one GPU are a reason to suspect the GPU.
JOBS_SUSPECT = 3
JOBS_REMEMBERED = timedelta(days=7)


def effect_of(incident: Incident | None, signal: Signal) -> Effect:
    """Return what a signal does to the incident as it stands."""
    is_open = incident is not None and incident.state == "open"
    if signal.kind == "clear":
        overtaken = incident is not None and _before(signal.order, incident.latest)
        return "resolves" if is_open and not overtaken else "late"
    if incident is not None and _is_over(signal, incident):
        return "history"
    if incident is None or not is_open:
        return "opens"
    succeeds = _rebooted(signal.order, incident) or _of_another_job(signal, incident)
    return "succeeds" if succeeds else "joins"


def outlived(incident: Incident, signal: Signal, now: datetime) -> Incident:
    """Return an open incident as what its successor tells of ended it."""
    if _of_another_job(signal, incident):
        return ended(incident, "another job runs there now", now)
    return ended(incident, "ended by a reboot of the node, after which it faulted anew", now)


def ended(incident: Incident, how: str, now: datetime) -> Incident:
    """Return an incident that is over for a reason that its mark tells."""
    marks = join_marks(incident.marks, (how,))
    return incident.model_copy(update={"state": "resolved", "resolved_at": now, "marks": marks})


def because(incident: Incident, why: str, now: datetime) -> Incident:
    """Return the incident with one more line on which rule decided what."""
    line = f"{now:%Y-%m-%d %H:%M:%S} {why}"
    return incident.model_copy(update={"why": (*incident.why, line)[-WHY_MAX:]})


def moved(incident: Incident, ref: PageRef | None) -> Incident:
    """Return the incident as told on another page, or on none; it remembers where it was told.

    Whoever moved it may have died before the old page's channels knew of what it was there.
    """
    old, was = incident.page, incident.was
    if old is not None and old != ref:
        was = (*(each for each in was if each != old), old)[-WAS_MAX:]
    return incident.model_copy(update={"page": ref, "was": was})


def flaps(incident: Incident, times: int) -> bool:
    """Return whether a thing broke so often within the hour that it counts as one trouble."""
    if incident.entity.aspect == APPLICATION:  # its generations are different jobs
        return False
    recent = [at for at in incident.openings if incident.opened_at - at < FLAP_WITHIN]
    return len(recent) >= times


def take(effect: Effect, incident: Incident | None, signal: Signal, now: datetime) -> Incident:
    """Return the incident after the effect of a signal on it."""
    taken = _hit(_take(effect, incident, signal, now), signal)
    boots = incident.boots if incident else ()
    boot = signal.order.boot_id if signal.order else None
    if boot is not None and boot not in boots:
        boots = (*boots, boot)[-BOOTS_MAX:]
    return taken.model_copy(update={"boots": boots})


def _take(effect: Effect, incident: Incident | None, signal: Signal, now: datetime) -> Incident:
    if incident is None or effect == "opens":
        generation = incident.generation if incident else 0
        fresh = _begin(signal, now, generation + (effect == "opens"))
        if effect == "opens":
            return _join(fresh.model_copy(update=_remembered(incident, now)), signal, now)
        return fresh.model_copy(
            update={"state": "resolved", "resolved_at": now, "cleared": signal.order}
        )
    if effect == "joins":
        return _join(incident, signal, now)
    if effect == "history":
        return _count(incident, signal)
    update: dict[str, object] = {"cleared": _newest(incident.cleared, signal.order)}
    if effect == "resolves":
        update |= {"state": "resolved", "resolved_at": now}
    return incident.model_copy(update=update)


def _remembered(incident: Incident | None, now: datetime) -> dict[str, object]:
    """Return what a new generation keeps of the earlier ones."""
    if incident is None:
        return {"openings": (now,)}
    return {
        "cleared": incident.cleared,
        "openings": (*incident.openings, now)[-OPENINGS_MAX:],
        "jobs": incident.jobs if now - incident.last_at < JOBS_REMEMBERED else (),
        # Where the generation before was told: what flaps is told there again.
        "page": incident.page,
        "was": incident.was,
        "why": incident.why,
    }


def _hit(taken: Incident, signal: Signal) -> Incident:
    """Return the incident with the job that a fault of the jobs' own code hit.

    One job's bug is its owner's; when job after job fails on one GPU, the GPU is on-call's.
    """
    job = signal.job.id if signal.job else ""
    if signal.kind == "clear" or taken.entity.aspect != APPLICATION or not job:
        return taken
    jobs = (*(each for each in taken.jobs if each != job), job)[-JOBS_MAX:]
    update: dict[str, object] = {"jobs": jobs}
    if len(jobs) >= JOBS_SUSPECT:
        mark = f"{len(jobs)} jobs failed on this GPU: suspect the GPU, not the jobs"
        update |= {"owner": "oncall", "severity": Severity.CRITICAL}
        update["marks"] = (mark, *(old for old in taken.marks if "jobs failed on" not in old))
    return taken.model_copy(update=update)


def _begin(signal: Signal, now: datetime, generation: int) -> Incident:
    return Incident(
        fingerprint=signal.entity.fingerprint,
        generation=generation,
        version=1,
        state="open",
        severity=signal.severity,
        entity=shown(signal.entity),
        cause=signal.cause,
        title=signal.title,
        meaning=signal.meaning,
        action=signal.action,
        owner=signal.owner,
        job=signal.job,
        evidence=signal.evidence,
        first_at=signal.first_at,
        last_at=signal.last_at,
        opened_at=now,
        clock_skew_s=signal.clock_skew_s,
        hops=signal.hops.model_copy(update={"decided_at": now}),
    )


def _join(incident: Incident, signal: Signal, now: datetime) -> Incident:
    joined = _count(incident, signal)
    update: dict[str, object] = {
        "latest": _newest(incident.latest, signal.order),
        "labels": join_labels(incident.labels, signal.labels),
        "marks": join_marks(incident.marks, signal.marks),
        "job": incident.job or signal.job,
    }
    if gravity(signal) > gravity(incident):
        led = ("severity", "cause", "title", "meaning", "action", "owner", "clock_skew_s")
        update |= {name: getattr(signal, name) for name in (*led, "evidence")}
        update["job"] = signal.job or incident.job
        update["hops"] = signal.hops.model_copy(update={"decided_at": now})
    return joined.model_copy(update=update)


def _count(incident: Incident, signal: Signal) -> Incident:
    causes = {cause.cause: cause for cause in incident.causes}
    other = incident.other_causes
    known = causes.get(signal.cause)
    if known is None and len(causes) >= CAUSES_MAX:
        other += signal.count
    else:
        causes[signal.cause] = _counted(known, signal)
    return incident.model_copy(
        update={
            "causes": tuple(causes.values()),
            "other_causes": other,
            "count": incident.count + signal.count,
            "first_at": min(incident.first_at, signal.first_at),
            "last_at": max(incident.last_at, signal.last_at),
        }
    )


def _counted(known: Cause | None, signal: Signal) -> Cause:
    if known is None:
        return Cause(
            cause=signal.cause,
            title=signal.title,
            severity=signal.severity,
            count=signal.count,
            first_at=signal.first_at,
            last_at=signal.last_at,
        )
    return known.model_copy(
        update={
            "severity": max(known.severity, signal.severity, key=lambda severity: severity.rank),
            "count": known.count + signal.count,
            "first_at": min(known.first_at, signal.first_at),
            "last_at": max(known.last_at, signal.last_at),
        }
    )


def gravity(finding: Incident | Signal) -> tuple[int, bool]:
    """Return what decides who leads: severity first, then a matter for on-call before a job's."""
    return finding.severity.rank, finding.owner == "oncall"


def _before(order: Order | None, mark: Order | None) -> bool:
    same_boot = order is not None and mark is not None and order.boot_id == mark.boot_id
    return same_boot and order is not None and mark is not None and order.seq < mark.seq


def _of_another_job(signal: Signal, incident: Incident) -> bool:
    if incident.entity.aspect != APPLICATION or signal.job is None or incident.job is None:
        return False
    return bool(signal.job.id and incident.job.id) and signal.job.id != incident.job.id


def _rebooted(order: Order | None, incident: Incident) -> bool:
    return order is not None and bool(incident.boots) and order.boot_id not in incident.boots


def _is_over(signal: Signal, incident: Incident) -> bool:
    """Return whether a fault was cleared already, or is of a boot that is over.

    A fault graver than all that people were told of is news even if its boot is over.
    """
    if _before(signal.order, incident.cleared):
        return True
    past = signal.order is not None and signal.order.boot_id in incident.boots[:-1]
    return past and gravity(signal) <= gravity(incident)


def _newest(known: Order | None, order: Order | None) -> Order | None:
    return known if order is None or _before(order, known) else order
