"""Finds what people mean: an incident by the beginning of its id, or of its page's id."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.page import page_key
from reflexarc.kernel.errors import Rejected
from reflexarc.notify import wording

if TYPE_CHECKING:
    from reflexarc.runtime.operator import Deployment

FINGERPRINT = 32
LEAST = 3
LOOKS_AT_MOST = 10_000
NAMED = 5


def found(deployed: "Deployment", beginning: str) -> Incident:
    """Return the incident that is meant; a page's id means the incident that leads it."""
    asked = beginning.strip().lower()
    if len(asked) < LEAST:
        raise Rejected(f"type at least {LEAST} characters of an id: see `reflexarc incidents list`")
    if len(asked) == FINGERPRINT and (whole := deployed.incidents.dossier(asked)):
        return whole.incident
    known = deployed.incidents.recent(LOOKS_AT_MOST)
    incidents = [each for each in known if each.fingerprint.startswith(asked)]
    told = dict.fromkeys(each.page for each in known if each.page)
    pages = [ref for ref in told if page_key(ref).startswith(asked)]
    if len(incidents) + len(pages) > 1:
        raise Rejected(_ambiguous(beginning, incidents, pages))
    if incidents:
        return incidents[0]
    if not pages:
        raise Rejected(
            f"no incident or page begins with {beginning}: see `reflexarc incidents list`,"
            " or with --state any those that are over"
        )
    return _leader(deployed, pages[0], known)


def _leader(deployed: "Deployment", ref: PageRef, known: Sequence[Incident]) -> Incident:
    page = deployed.incidents.page(ref)
    members = [each for each in known if each.page == ref]
    leads = (each for each in members if page and each.fingerprint == page.lead.fingerprint)
    return next(leads, members[0])


def _ambiguous(beginning: str, incidents: Sequence[Incident], pages: Sequence[PageRef]) -> str:
    meant = [f"{each.fingerprint[:12]} ({wording.place(each)})" for each in incidents]
    meant += [f"page {page_key(ref)[:12]}" for ref in pages]
    more = len(meant) - NAMED
    rest = f" and {more:,} more" if more > 0 else ""
    return f"several begin with {beginning}: {', '.join(meant[:NAMED])}{rest}; type more of the id"
