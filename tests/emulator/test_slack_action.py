"""Clicks by way of the deployed function's URL: taken once, and only from Slack."""

import time

import pytest
import urllib3

from reflexarc.emulator.lane import Lane
from reflexarc.emulator.processes import wait_until
from reflexarc.emulator.stack import SLACK_CHANNEL
from samples.standins.clicks import signed, signed_click
from samples.standins.server import SIGNING_SECRET
from tests.emulator.story import Story, xid
from tests.unit.actions.fakes import form, payload

pytestmark = pytest.mark.emulator
# Slack shows the person an error after this.
# https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
SLACK_WAITS_S = 3


def pressed(name: str) -> bytes:
    # A button that is not ours goes the same way, up to where an action would be made.
    return form(payload("another_apps_button", trigger_id=name))


def post(lane: Lane, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    url = lane.stack.outputs["SlackActionUrl"]
    answer = urllib3.PoolManager(retries=False).request("POST", url, body=body, headers=headers)
    return answer.status, answer.data


def test_the_first_click_of_a_cold_function_is_answered_in_time(lane: Lane) -> None:
    body = pressed("first")
    begun = time.monotonic()

    assert post(lane, body, signed(body, SIGNING_SECRET, int(time.time()))) == (200, b"")
    assert time.monotonic() - begun < SLACK_WAITS_S


@pytest.mark.parametrize(("secret", "age_s"), [("guessed", 0), (SIGNING_SECRET, 301)])
def test_what_slack_did_not_just_send_is_refused(lane: Lane, secret: str, age_s: int) -> None:
    body = pressed("forged")

    assert post(lane, body, signed(body, secret, int(time.time()) - age_s)) == (401, b"")


def test_a_click_counts_once(lane: Lane) -> None:
    body = form(payload(trigger_id="once"))
    headers = signed(body, SIGNING_SECRET, int(time.time()))

    assert [post(lane, body, headers)[0] for _ in range(2)] == [200, 401]


def test_a_press_on_ack_shows_who_did_it_and_quiets_the_pager(story: Story) -> None:
    story.write(story.node(), xid(79))
    assert story.all_arrive_once()
    key = story.pages[0].key
    shown = story.slack_message(key)

    headers, body = signed_click(
        shown, "reflexarc_ack", "dana", SIGNING_SECRET, int(time.time()), channel=SLACK_CHANNEL
    )
    assert post(story.lane, body, headers) == (200, b"")

    def told() -> bool:
        return "dana" in str(story.slack_message(key)["blocks"])

    assert wait_until(told, 10, every_s=0.1)
    assert wait_until(lambda: _pager(story, key) == "acknowledged", 10, every_s=0.1)


def _pager(story: Story, key: str) -> str:
    return next(
        str(incident["status"])
        for incident in story.lane.standins.pagerduty()
        if key in str(incident["dedup_key"])
    )
