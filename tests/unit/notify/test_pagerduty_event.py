import json

import pytest
from hypothesis import given, settings

from reflexarc.events.gpu_faults import Job
from reflexarc.events.notice import Notice
from reflexarc.events.signal import Entity
from reflexarc.notify import pagerduty_event
from samples.standins.limits import Limits
from samples.standins.pagerduty import BODY_MAX, PagerDutyStandIn
from tests.support.notices import NOW, PAGERDUTY, incident, notice, notices

KEY = "k" * 32


def vendor() -> PagerDutyStandIn:
    return PagerDutyStandIn(KEY, Limits(1e6, 1e6))


def test_a_trigger_says_what_where_and_what_to_do() -> None:
    job = Job(id="4711", name="train-llama")
    sent = notice(channel=PAGERDUTY, job=job, evidence=("NVRM: Xid 79",), marks=("N-1 agent",))

    event = pagerduty_event.render(sent, 84)

    details = event["payload"].pop("custom_details")
    assert event == {
        "event_action": "trigger",
        "dedup_key": sent.incident.key,
        "client": "reflexarc",
        "payload": {
            "summary": "XID 79: GPU has fallen off the bus - GPU 0000:01:00 on node-7",
            "source": "node-7",
            "severity": "critical",
            "timestamp": "2026-03-03T04:44:24.000+00:00",
            "component": "0000:01:00",
            "group": "train-llama",
            "class": "xid/79",
        },
        "links": [
            {"href": "https://docs.nvidia.com/deploy/xid-errors/", "text": "NVIDIA: Xid errors"}
        ],
    }
    assert details["do"] == "Drain the node."
    assert details["job"] == {"name": "train-llama", "id": "4711"}
    assert details["caveats"] == ["N-1 agent"]
    assert details["evidence"] == ["NVRM: Xid 79"]
    assert details["kernel_line_to_page"] == "84 ms"


def test_an_update_joins_the_alert_and_a_resolve_needs_no_payload() -> None:
    update = pagerduty_event.render(notice("update", PAGERDUTY), 84)
    resolve = pagerduty_event.render(notice("resolve", PAGERDUTY), 84)

    assert update["event_action"] == "trigger"
    assert resolve == {"event_action": "resolve", "dedup_key": update["dedup_key"]}


def test_an_acknowledgement_names_the_same_alert() -> None:
    subject = incident()

    event = pagerduty_event.event("acknowledge", subject)

    assert event == {"event_action": "acknowledge", "dedup_key": subject.key}


def test_plain_events_hold_the_essentials() -> None:
    trigger = pagerduty_event.plain(notice(channel=PAGERDUTY))

    assert trigger["payload"] == {
        "summary": "XID 79: GPU has fallen off the bus - GPU 0000:01:00 on node-7"
        " - Drain the node.",
        "source": "node-7",
        "severity": "critical",
    }
    assert pagerduty_event.plain(notice("resolve", PAGERDUTY))["event_action"] == "resolve"


def test_without_a_job_or_an_xid_nothing_is_made_up() -> None:
    event = pagerduty_event.render(
        notice(channel=PAGERDUTY, cause="heat", entity=Entity(kind="fabric")), None
    )

    assert event["links"] == []
    assert event["payload"]["source"] == "NVLink fabric"
    assert event["payload"]["component"] == "fabric"
    assert event["payload"]["custom_details"]["job"] == "none known"
    assert "kernel_line_to_page" not in event["payload"]["custom_details"]


@settings(max_examples=50, deadline=None)
@given(notices)
def test_pagerduty_takes_the_event_about_any_incident(sent: Notice) -> None:
    for event in (pagerduty_event.render(sent, 84), pagerduty_event.plain(sent)):
        whole = {"routing_key": KEY, **event}
        size = len(json.dumps(whole).encode())

        assert size < BODY_MAX
        assert vendor().enqueue(whole, size).status == 202


@pytest.mark.parametrize("text", ["\u202e<b>&`", "x" * 10_000])
def test_the_largest_and_the_strangest_text_fits_the_summary(text: str) -> None:
    event = pagerduty_event.render(notice(channel=PAGERDUTY, title=text, first_at=NOW), 84)

    assert 0 < len(event["payload"]["summary"]) <= 1_024
    assert "\u202e" not in event["payload"]["summary"]
