import json

import pytest
from hypothesis import given, settings

from reflexarc.events.gpu_faults import Job
from reflexarc.events.page import Story
from reflexarc.events.signal import Entity
from reflexarc.notify import pagerduty_event as event
from samples.standins.limits import Limits
from samples.standins.pagerduty import BODY_MAX, PagerDutyStandIn
from tests.support.notices import NOW, incident, member, stories, story

KEY = "k" * 32


def vendor() -> PagerDutyStandIn:
    return PagerDutyStandIn(KEY, Limits(1e6, 1e6))


def test_a_trigger_says_what_where_and_what_to_do() -> None:
    job = Job(id="4711", name="train-llama")
    lead = incident(job=job, evidence=("NVRM: Xid 79",), marks=("N-1 agent",))
    told = story(lead=lead)

    sent = event.trigger(told, told.page.key, 84, "")

    details = sent["payload"].pop("custom_details")
    assert sent == {
        "event_action": "trigger",
        "dedup_key": told.page.key,
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
    assert details["jobs"] == [{"name": "train-llama", "id": "4711"}]
    assert details["caveats"] == ["N-1 agent"]
    assert details["evidence"] == ["NVRM: Xid 79"]
    assert details["kernel_line_to_page"] == "84 ms"
    assert details["routes"] == ["all"]
    assert details["page"] == told.page.key[:8]
    assert details["now"] == f"reflexarc incidents show {lead.fingerprint}"


def test_a_page_of_many_says_how_far_it_reaches_and_where_it_is_worst() -> None:
    members = [member(gpu, node) for node in ("node-8", "node-9") for gpu in (2, 3)]
    told = story(*members, member(4, "node-9", state="resolved"), member(5, "x", role="echo"))

    details = event.trigger(told, "key", 84, "older")["payload"]["custom_details"]

    assert details["reach"] == "6 GPUs of 3 nodes"
    assert details["beside"] == "1 echo of a dead peer"
    assert details["repaired"] == "1 of 7 repaired"
    assert details["worst_nodes"][:2] == ["node-8: 2 of 2 broken", "node-9: 2 of 3 broken"]
    assert details["seen"] == "7 times"
    assert details["instead_of"] == "older"


def test_the_worst_nodes_are_bounded_however_many_fail() -> None:
    told = story(*(member(1, f"node-{number}") for number in range(5_000)))

    details = event.trigger(told, "key", None, "")["payload"]["custom_details"]

    assert len(details["worst_nodes"]) == 10
    assert details["nodes"] == "5,000"


def test_a_page_that_comes_and_goes_says_so() -> None:
    details = event.trigger(story(flapping=True), "key", None, "")["payload"]["custom_details"]

    assert details["flapping"] == "it comes and goes"


def test_a_plain_event_holds_the_essentials() -> None:
    assert event.plain(story(), "key") == {
        "event_action": "trigger",
        "dedup_key": "key",
        "payload": {
            "summary": "XID 79: GPU has fallen off the bus - GPU 0000:01:00 on node-7"
            " - Drain the node.",
            "source": "node-7",
            "severity": "critical",
        },
    }


def test_without_a_job_or_an_xid_nothing_is_made_up() -> None:
    told = story(lead=incident(cause="heat", entity=Entity(kind="fabric")))

    sent = event.trigger(told, "key", None, "")

    assert sent["links"] == []
    assert sent["payload"]["source"] == "NVLink fabric"
    assert sent["payload"]["component"] == "fabric"
    assert sent["payload"]["custom_details"]["jobs"] == "none known"
    assert "reading_to_page" not in sent["payload"]["custom_details"]


@settings(max_examples=50, deadline=None)
@given(stories)
def test_pagerduty_takes_the_event_about_any_page(told: Story) -> None:
    key = told.page.key
    for sent in (event.trigger(told, key, 84, key), event.plain(told, key)):
        whole = {"routing_key": KEY, **sent}
        size = len(json.dumps(whole).encode())

        assert size < BODY_MAX
        assert vendor().enqueue(whole, size).status == 202


@pytest.mark.parametrize("text", ["\u202e<b>&`", "x" * 10_000])
def test_the_largest_and_the_strangest_text_fits_the_summary(text: str) -> None:
    sent = event.trigger(story(lead=incident(title=text, first_at=NOW)), "key", 84, "")

    assert 0 < len(sent["payload"]["summary"]) <= 1_024
    assert "\u202e" not in sent["payload"]["summary"]
