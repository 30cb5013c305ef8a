import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from slack_sdk.signature import SignatureVerifier

from samples.standins.clicks import signed_click
from tests.standins.conftest import Client

SECRET, AT = "s3cret", 1_772_513_064
BUTTON = {
    "type": "button",
    "action_id": "reflexarc_ack",
    "text": {"type": "plain_text", "text": "Ack"},
    "value": '{"scope": "s", "generation": 1}',
}


@pytest.fixture
def message(client: Client) -> dict[str, Any]:
    blocks = [{"type": "actions", "elements": [BUTTON]}]
    client.slack("chat.postMessage", channel="C0A", text="page", blocks=blocks)
    [posted] = client.standins.slack.channels["C0A"]
    return posted


def test_a_click_is_signed_as_slack_s_own_library_verifies(message: dict[str, Any]) -> None:
    headers, body = signed_click(message, "reflexarc_ack", "alice", SECRET, AT)

    clock = type("Clock", (), {"now": staticmethod(lambda: float(AT + 60))})()
    right, wrong = (SignatureVerifier(secret, clock) for secret in (SECRET, "other"))
    assert right.is_valid_request(body, headers)
    assert not wrong.is_valid_request(body, headers)
    assert not right.is_valid_request(body + b"x", headers)


def test_a_click_names_the_button_the_person_and_the_message(message: dict[str, Any]) -> None:
    _, body = signed_click(message, "reflexarc_ack", "alice", SECRET, AT, channel="C0A")

    payload = json.loads(parse_qs(body.decode())["payload"][0])
    [pressed] = payload["actions"]
    assert payload["type"] == "block_actions"
    assert payload["user"]["id"] == "U0ALICE"
    assert payload["container"]["message_ts"] == message["ts"]
    assert payload["container"]["channel_id"] == payload["channel"]["id"] == "C0A"
    assert (pressed["action_id"], pressed["value"]) == ("reflexarc_ack", BUTTON["value"])


def test_a_button_that_is_not_there_cannot_be_pressed(message: dict[str, Any]) -> None:
    with pytest.raises(LookupError, match="no button reflexarc_resolve"):
        signed_click(message, "reflexarc_resolve", "alice", SECRET, AT)
