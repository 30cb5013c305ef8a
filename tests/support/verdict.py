"""What people were told once all is quiet, against what there was to tell."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

from reflexarc.events.page import Page, Story
from reflexarc.events.severity import Severity
from reflexarc.notify import slack_plan
from reflexarc.notify.model import Receipt
from reflexarc.notify.pagerduty_plan import alert_key
from tests.support.chaos import World
from tests.support.notices import SLACK


def verify(world: World) -> None:
    """Check that nothing was lost, doubled, or left as it no longer is."""
    assert not any(world.book.store.rows.values()), "a notice was never sent"
    assert world.undeliverable.kept == []
    pages = list(world.book.store.pages.values())
    verify_slack(world, pages)
    verify_pagerduty(world, pages)


def verify_slack(world: World, pages: list[Page]) -> None:
    """Check that each page has one message, and a thread that tells all of it once."""
    messages = [message for channel in world.slack.channels.values() for message in channel]
    assert {payload(message)["key"] for message in messages} == {page.key for page in pages}
    for page in pages:
        ours = [message for message in messages if payload(message)["key"] == page.key]
        roots = [message for message in ours if payload(message)["part"] == "root"]
        assert len(roots) == 1, "Slack: one root a page"
        verify_thread(world, page, roots[0], [each for each in ours if each is not roots[0]])


def verify_shown(world: World, page: Page) -> Receipt:
    """Check that nothing is left to tell of a page; return what was told."""
    known = world.book.store.receipts[page.scope, page.generation, SLACK.name]
    story, later = Story(page=page, members=world.book.members(page.ref)), timedelta(days=1)
    behind = slack_plan.next_task(story, SLACK.destination, known, world.clock.now + later)
    assert behind is None, "Slack: shows less than there is to know"
    return known


def verify_thread(
    world: World, page: Page, root: dict[str, Any], replies: list[dict[str, Any]]
) -> None:
    """Check that a page is shown as it is now, each list page and line of history once."""
    known = verify_shown(world, page)
    assert (root["ts"], payload(root)["digest"]) == (known.vendor_id, known.digest)
    assert {reply["thread_ts"] for reply in replies} <= {root["ts"]}
    lists = Counter(part for part in map(part_of, replies) if part.startswith("list/"))
    assert lists == Counter({part: 1 for part in known.parts if part.startswith("list/")})
    for reply in replies:
        if part_of(reply) in known.parts:
            assert payload(reply)["digest"] == known.parts[part_of(reply)].digest
    history = [reply for reply in replies if part_of(reply).startswith("history/")]
    said = json.dumps([reply["blocks"] or reply["text"] for reply in history])
    for entry in page.history[1:]:  # the root itself says that the page was opened
        assert said.count(f"line {entry.number}: ") == 1, f"Slack: {entry.what}, told once"


def payload(message: dict[str, Any]) -> dict[str, Any]:
    """Return what a message's metadata says."""
    found: dict[str, Any] = message["metadata"]["event_payload"]
    return found


def part_of(message: dict[str, Any]) -> str:
    """Return what a message is to its page."""
    return str(payload(message)["part"])


def verify_pagerduty(world: World, pages: list[Page]) -> None:
    """Check that each page has one alert a severity, of which at most the gravest is open."""
    alerts = world.pagerduty.incidents
    opened = Counter(alert["dedup_key"] for alert in alerts)
    assert set(opened.values()) <= {1}, "PagerDuty: one alert a key"
    assert set(opened) <= {alert_key(page, each) for page in pages for each in Severity}
    statuses = {alert["dedup_key"]: alert["status"] for alert in alerts}
    for page in pages:
        keys = [alert_key(page, severity) for severity in Severity]
        ours = {key: statuses[key] for key in keys if key in statuses}
        assert ours, "PagerDuty: a page that nobody was woken for"
        standing = {key: status for key, status in ours.items() if status != "resolved"}
        status = "acknowledged" if page.state == "acked" else "triggered"
        due = {} if page.state == "resolved" else {alert_key(page, page.severity): status}
        assert standing == due, "PagerDuty: a zombie, or a page that went quiet"
