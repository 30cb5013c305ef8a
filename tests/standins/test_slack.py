from typing import Any

import pytest

from samples.standins.block_kit import problems, too_long
from samples.standins.limits import Limits
from samples.standins.server import TOKEN, WEBHOOK_PATH
from tests.standins.conftest import Client

METADATA = {"event_type": "reflexarc_incident", "event_payload": {"key": "k1"}}


def section(text: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def test_a_message_is_posted_edited_and_read_with_its_metadata(client: Client) -> None:
    posted = client.slack("chat.postMessage", channel="C0A", text="one", metadata=METADATA)
    edited = client.slack("chat.update", channel="C0A", ts=posted["ts"], text="two")

    assert posted["ok"]
    assert edited["ok"]
    [plain] = client.read("conversations.history", channel="C0A")["messages"]
    [whole] = client.read("conversations.history", channel="C0A", include_all_metadata="true")[
        "messages"
    ]
    assert (plain["text"], "metadata" in plain) == ("two", False)
    assert whole["metadata"] == METADATA


def test_replies_stay_in_their_thread(client: Client) -> None:
    root = client.slack("chat.postMessage", channel="C0A", text="root")["ts"]
    client.slack("chat.postMessage", channel="C0A", text="reply", thread_ts=root)

    history = client.read("conversations.history", channel="C0A")["messages"]
    replies = client.read("conversations.replies", channel="C0A", ts=root)["messages"]

    assert [message["text"] for message in history] == ["root"]
    assert [message["text"] for message in replies] == ["root", "reply"]


def test_a_reply_that_is_broadcast_is_shown_in_the_channel_too(client: Client) -> None:
    root = client.slack("chat.postMessage", channel="C0A", text="root")["ts"]
    client.slack(
        "chat.postMessage", channel="C0A", text="news", thread_ts=root, reply_broadcast=True
    )

    history = client.read("conversations.history", channel="C0A")["messages"]
    replies = client.read("conversations.replies", channel="C0A", ts=root)["messages"]

    assert [message["text"] for message in history] == ["news", "root"]
    assert [message["text"] for message in replies] == ["root", "news"]


def test_a_thread_needs_a_message_to_hang_on(client: Client) -> None:
    root = client.standins.slack._store("C0A", {"text": "root"})["ts"]
    reply = client.standins.slack._store("C0A", {"text": "reply", "thread_ts": root})["ts"]

    for nowhere in ("1.0", reply):
        answer = client.slack("chat.postMessage", channel="C0A", text="x", thread_ts=nowhere)
        assert answer["error"] == "thread_not_found"


def test_a_whisper_reaches_one_person_and_no_channel(client: Client) -> None:
    sent = client.slack("chat.postEphemeral", channel="C0A", user="U0ALICE", text="done")

    assert sent["ok"]
    inside = client.control("/_slack")
    assert inside["whispers"] == [{"channel": "C0A", "user": "U0ALICE", "text": "done"}]
    assert inside["channels"] == {}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "Not A Channel", "user": "U0ALICE", "text": "x"}, "channel_not_found"),
        ({"channel": "C0A", "user": "alice", "text": "x"}, "user_not_in_channel"),
        ({"channel": "C0A", "user": "U0ALICE"}, "no_text"),
    ],
)
def test_whispers_are_refused(client: Client, arguments: dict[str, Any], error: str) -> None:
    assert client.slack("chat.postEphemeral", **arguments)["error"] == error


def test_whispers_have_a_limit(client: Client) -> None:
    answers = [
        client.slack("chat.postEphemeral", channel="C0A", user="U0ALICE", text="x")["ok"]
        for _ in range(61)
    ]

    assert answers == [True] * 60 + [False]


def test_history_pages_from_the_newest(client: Client) -> None:
    for number in range(5):
        client.standins.slack._store("C0A", {"text": str(number)})

    first = client.read("conversations.history", channel="C0A", limit="2")
    cursor = first["response_metadata"]["next_cursor"]
    second = client.read("conversations.history", channel="C0A", limit="9", cursor=cursor)

    assert [message["text"] for message in first["messages"]] == ["4", "3"]
    assert [message["text"] for message in second["messages"]] == ["2", "1", "0"]
    assert (first["has_more"], second["has_more"]) == (True, False)


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"channel": "Not A Channel", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "C0A"}, "no_text"),
        ("chat.postMessage", {"channel": "C0A", "text": "x" * 40_001}, "msg_too_long"),
        ("chat.postMessage", {"channel": "C0A", "blocks": [section("")]}, "invalid_blocks"),
        ("chat.postMessage", {"channel": "C0A", "blocks": ["x"]}, "invalid_blocks"),
        (
            "chat.postMessage",
            {"channel": "C0A", "blocks": [section("x" * 2_900)] * 5},
            "msg_blocks_too_long",
        ),
        (
            "chat.postMessage",
            {"channel": "C0A", "text": "x", "metadata": {"event_type": "a b"}},
            "invalid_metadata_format",
        ),
        (
            "chat.postMessage",
            {
                "channel": "C0A",
                "text": "x",
                "metadata": {"event_type": "a b", "event_payload": {}},
            },
            "invalid_metadata_format",
        ),
        (
            "chat.postMessage",
            {
                "channel": "C0A",
                "text": "x",
                "metadata": {"event_type": "a", "event_payload": {"k": "x" * 20_000}},
            },
            "metadata_too_large",
        ),
        ("chat.update", {"channel": "C0A", "ts": "1.0", "text": "x"}, "channel_not_found"),
        ("conversations.history", {"channel": "#by-name"}, "channel_not_found"),
        ("chat.everything", {}, "unknown_method"),
    ],
)
def test_slack_refuses(client: Client, method: str, arguments: dict[str, Any], error: str) -> None:
    assert client.slack(method, **arguments)["error"] == error


def test_an_update_is_held_to_the_same_rules(client: Client) -> None:
    ts = client.slack("chat.postMessage", channel="C0A", text="x")["ts"]

    bad = client.slack("chat.update", channel="C0A", ts=ts, blocks=[section("x" * 3_001)])
    gone = client.slack("chat.update", channel="C0A", ts="1.0", text="x")

    assert (bad["error"], gone["error"]) == ("invalid_blocks", "message_not_found")


def test_tokens_are_checked(client: Client) -> None:
    nobody = client.http.post(f"{client.standins.url}/api/auth.test", {}).json_object()

    assert nobody == {"ok": False, "error": "not_authed"}
    assert client.slack("auth.test", token="xoxb-wrong")["error"] == "invalid_auth"
    assert client.slack("auth.test", token=TOKEN)["ok"]


def test_posting_by_name_is_allowed(client: Client) -> None:
    posted = client.slack("chat.postMessage", channel="#gpu-alerts", text="x")

    assert posted["channel"].startswith("C")


def test_a_channel_takes_a_burst_and_then_one_a_second(client: Client) -> None:
    url, message = f"{client.standins.url}/api/chat.postMessage", {"channel": "C0A", "text": "x"}
    headers = {"Authorization": f"Bearer {TOKEN}"}

    answers = [client.http.post(url, message, headers) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"
    assert client.slack("chat.postMessage", channel="C0B", text="other channels go on")["ok"]


def test_updates_and_reads_have_limits_of_their_own(client: Client) -> None:
    for method in ("chat.update", "conversations.history"):
        errors = [client.slack(method, channel="C0A")["ok"] for _ in range(61)]
        assert client.standins.journal.since(0, 0)[-1]["error"] == "ratelimited"
        assert len(errors) == 61


def test_a_webhook_posts_to_its_channel_and_names_nothing(client: Client) -> None:
    url = client.standins.url + WEBHOOK_PATH

    answer = client.http.post(url, {"text": "x", "blocks": [section()]})
    empty = client.http.post(url, {})
    limited = client.http.post(url, {"text": "x"})
    unknown = client.http.post(f"{client.standins.url}/services/T/B/x", {"text": "x"})

    assert (answer.status, answer.body) == (200, b"ok")
    assert (empty.status, empty.body) == (400, b"no_text")
    assert limited.status == 429
    assert (unknown.status, unknown.body) == (404, b"no_service")


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "nonsense"}, "unsupported type"),
        ({"type": "section"}, "section"),
        (section(fields=[{"type": "mrkdwn", "text": "x" * 2_001}]), "more than 2000"),
        (section(fields=[{"type": "mrkdwn", "text": "x"}] * 11), "section"),
        (section(text=""), "1 to 3000"),
        ({"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}, "150"),
    ],
)
def test_blocks_are_held_to_slack_s_rules(block: dict[str, Any], problem: str) -> None:
    assert any(problem in found for found in problems([block]))


def test_fifty_blocks_are_enough_and_action_ids_are_unique() -> None:
    button = {
        "type": "button",
        "action_id": "ack",
        "text": {"type": "plain_text", "text": "Ack"},
    }
    actions = {"type": "actions", "elements": [button, button]}

    assert problems([section()] * 51) == ["no more than 50 items allowed"]
    assert problems([actions]) == ["action_id ack is not unique"]
    assert problems([section()]) == []
    assert not too_long([section()])


def test_a_bucket_fills_with_time() -> None:
    now = [0.0]
    limits = Limits(rate=0.5, burst=1, monotonic=lambda: now[0])

    assert [limits.retry_after("a"), limits.retry_after("a"), limits.retry_after("b")] == [0, 2, 0]
    now[0] = 2.0
    assert limits.retry_after("a") == 0
