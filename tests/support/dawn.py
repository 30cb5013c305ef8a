"""What must be true once a night is over: what people were told, against what the tables say."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from reflexarc.adapters.dynamodb.attempts import attempt_of
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.rows import parsed
from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.page import LIVE, Member, Page, Story
from reflexarc.events.severity import Severity
from reflexarc.incidents.config import default_policy
from reflexarc.incidents.routes import wanted
from reflexarc.notify import pagerduty_plan, slack_plan
from reflexarc.notify.model import Attempt, Receipt
from reflexarc.notify.pagerduty_plan import alert_key
from reflexarc.runtime import clients
from tests.support.night import Night
from tests.support.wired import DEAD, SLACK_CHANNEL, TABLE

ARRIVED = frozenset({"sent", "plain", "found"})


@dataclass(frozen=True)
class Dawn:
    """Everything that is stored and shown, read once."""

    night: Night

    def verify(self) -> None:
        """Check every promise."""
        assert self.night.cloud.queues[DEAD] == [], "a message was put aside"
        assert not self.night.cloud.groups_owed(), "a notice was never sent"
        self.verify_counts()
        self.verify_nothing_is_lost()
        self.verify_slack()
        self.verify_pagerduty()

    def verify_counts(self) -> None:
        """Each event once: the ledger holds what was sent, and incidents count it."""
        sent, counted = self.night.sent, self.night.counted
        faults = {event for event, count in sent.items() if count}
        assert faults <= set(counted), "a fault was not recorded"
        assert set(counted.values()) <= {1}, "an event was recorded twice"
        for incident in self.incidents:
            each = sum(cause.count for cause in incident.causes) + incident.other_causes
            assert each == incident.count, "causes do not add up"
            told = sum(n for event, n in sent.items() if event.endswith(incident.fingerprint))
            if incident.generation == 1 and incident.cleared is None:
                assert incident.count == told, "counts are exact"
            assert incident.count <= told, "more was counted than sent"

    def verify_nothing_is_lost(self) -> None:
        """What is open and worth telling is on a page that lives; a page of well things is over."""
        policy, now = default_policy(SLACK_CHANNEL), self.night.cloud.now
        pages = {page.ref: page for page in self.pages}
        for incident in self.incidents:
            if incident.state != "open" or not wanted(incident, policy, now).somebody:
                continue
            page = pages.get(incident.page) if incident.page else None
            assert page is not None, "an open incident is on no page"
            assert page.state in LIVE, "an open incident is on a page that is over"
            on: list[Incident | Member] = [page.lead, *self.members(page.ref)]
            ours = [each for each in on if each.fingerprint == incident.fingerprint]
            assert [each.state for each in ours] == ["open"], "its page does not show it"
            told = {channel.name for channel in page.channels}
            want = {channel.name for channel in wanted(incident, policy, now).channels}
            assert page.muted or want <= told, "a channel was never told"
        for page in self.pages:
            states = {page.lead.state, *(each.state for each in self.members(page.ref))}
            assert page.state != "closing", "nobody looked whether it is over"
            assert (page.state == "resolved") == (states == {"resolved"}), "a zombie, or a lost one"

    def verify_slack(self) -> None:
        """One root a page, a thread that tells the rest once, and an attempt for each."""
        messages = self.night.cloud.slack.channels.get(SLACK_CHANNEL, [])
        roots = Counter(said(each)["key"] for each in messages if said(each)["part"] == "root")
        told = [page for page in self.pages if self.is_told(page, "slack")]
        assert roots == Counter({page.key: 1 for page in told}), "Slack: one root a page"
        for page in told:
            parts = Counter(
                said(each)["part"] for each in messages if said(each)["key"] == page.key
            )
            assert set(parts.values()) == {1}, f"Slack: a message of a thread twice: {parts}"
            # What is found of a dead sender may say less than what was to be told by then.
            tried = Counter(
                _kind(e.part) for e in self.attempts(page, "slack") if e.outcome in ARRIVED
            )
            assert Counter(map(_kind, parts)) <= tried, "the ledger misses an attempt"
            story, receipt = self.story(page), self.receipt(page, "slack")
            later = self.night.cloud.now + timedelta(days=1)
            behind = slack_plan.next_task(story, SLACK_CHANNEL, receipt, later)
            assert behind is None, "Slack shows less than there is to know"
            [root] = [
                each
                for each in messages
                if said(each) == said(each) | {"key": page.key, "part": "root"}
            ]
            assert receipt is not None
            assert (root["ts"], said(root)["digest"]) == (receipt.vendor_id, receipt.digest)

    def verify_pagerduty(self) -> None:
        """One incident a page and urgency, of which at most the gravest is open."""
        opened = Counter(each["dedup_key"] for each in self.night.cloud.pagerduty.incidents)
        assert set(opened.values()) <= {1}, "PagerDuty: one incident a key"
        statuses = {e["dedup_key"]: e["status"] for e in self.night.cloud.pagerduty.incidents}
        for page in self.pages:
            keys = {alert_key(page, severity) for severity in Severity} & set(statuses)
            told = self.is_told(page, "pagerduty")
            assert bool(keys) == told, "PagerDuty: somebody was, or was not, woken"
            standing = {key: statuses.pop(key) for key in keys}
            standing = {key: each for key, each in standing.items() if each != "resolved"}
            status = "acknowledged" if page.state == "acked" else "triggered"
            over = page.state == "resolved" or not told
            due = {} if over else {alert_key(page, page.severity): status}
            assert standing == due, "PagerDuty: a zombie, or a page that went quiet"
            attempts = self.attempts(page, "pagerduty")
            assert told == any(each.outcome in ARRIVED for each in attempts), "no attempt"
            behind = pagerduty_plan.next_task(
                self.story(page), self.receipt(page, "pagerduty"), self.night.cloud.now
            )
            assert not told or behind is None, "PagerDuty knows less than there is to know"
        assert statuses == {}, "PagerDuty: an incident of no page"

    def is_told(self, page: Page, channel: str) -> bool:
        """Return whether a page has a channel."""
        return any(each.name == channel for each in page.channels)

    @cached_property
    def incidents(self) -> list[Incident]:
        """Return every incident."""
        return [parsed(Incident, row) for row in self._rows("INC#")]

    @cached_property
    def pages(self) -> list[Page]:
        """Return every page."""
        return [parsed(Page, row) for row in self._rows("PAGE#", "A#")]

    def story(self, page: Page) -> Story:
        """Return a page with its members."""
        return Story(page=page, members=self.members(page.ref))

    def members(self, ref: PageRef) -> tuple[Member, ...]:
        """Return who joined a page, in that order."""
        return self._book.members(ref)

    def receipt(self, page: Page, channel: str) -> Receipt | None:
        """Return what a channel was told of a page."""
        sort = f"CH#{page.generation:08d}#{channel}"
        return next((parsed(Receipt, row) for row in self._rows(f"PAGE#{page.scope}", sort)), None)

    def attempts(self, page: Page, channel: str) -> list[Attempt]:
        """Return the attempts that a page's log holds."""
        rows = self._rows(f"PAGE#{page.scope}", f"LOG#{page.generation:08d}#")
        attempts = [attempt_of(row) for row in rows if row["kind"]["S"] == "attempt"]
        return [each for each in attempts if each.channel == channel]

    @property
    def _book(self) -> DynamoIncidentBook:
        return DynamoIncidentBook(clients.dynamodb(), TABLE)

    def _rows(self, prefix: str, sort: str = "") -> list[dict[str, Any]]:
        return self.night.cloud.tables.rows(TABLE, prefix, sort)


def said(message: dict[str, Any]) -> dict[str, Any]:
    """Return what a message's metadata says."""
    found: dict[str, Any] = message["metadata"]["event_payload"]
    return found


def _kind(part: str) -> str:
    return part.partition("/")[0]
