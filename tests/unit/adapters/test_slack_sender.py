from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.slack.answers import checked, checked_webhook
from reflexarc.adapters.slack.people import SlackAnswers
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.adapters.slack.sender import SlackSender
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.events.notice import Channel
from reflexarc.events.page import Entry, Member, Story
from reflexarc.events.severity import Severity
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify.model import Receipt, Task
from samples.standins.server import WEBHOOK_CHANNEL, StandIns
from tests.support.notices import NOW, SLACK, at, incident, member, page, story
from tests.support.standins import HeldSecret, slack_secret, slack_sender

OPENED = Entry(number=1, at=NOW, what="opened")
ACKED = Entry(number=2, at=at(30), what="acknowledged", by="alice")
REMINDER = Entry(number=2, at=datetime(2100, 1, 1, tzinfo=NOW.tzinfo), what="still open", loud=True)
LATER = at(100)
WARNING = incident(severity=Severity.WARNING)
MANY: Sequence[Member] = [member(1, f"node-{node}", joined_at=NOW) for node in range(1, 21)]


def messages(standins: StandIns, channel: str = SLACK.destination) -> list[dict[str, Any]]:
    return standins.slack.channels.get(channel, [])


def due(sender: SlackSender, about: Story, receipt: Receipt | None, now: datetime = LATER) -> Task:
    task = sender.next(about, SLACK, receipt, now)
    assert task is not None
    return task


def tell(
    sender: SlackSender, about: Story, receipt: Receipt | None = None, now: datetime = LATER
) -> Receipt:
    """Bring the channel up to date, whatever its pace."""
    for _ in range(50):
        task = sender.next(about, SLACK, receipt, now)
        if task is None:
            break
        receipt = sender.send(task, SLACK, receipt)
    assert receipt is not None
    return receipt


def parts(standins: StandIns) -> list[str]:
    return [m["metadata"]["event_payload"]["part"] for m in messages(standins)]


def test_a_page_is_posted_and_then_edited_in_place(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)

    posted = tell(sender, story(), now=at(0.084))
    edited = tell(sender, story(state="resolved", version=2), posted, at(60))

    [message] = messages(standins)
    assert message["ts"] == posted.vendor_id == edited.vendor_id
    assert message["text"].startswith("✅ Resolved")
    assert message["blocks"][0]["text"]["text"].startswith("✅ Resolved")
    assert message["metadata"]["event_payload"]["version"] == 2
    assert (posted.via, posted.destination, posted.latency_ms) == ("slack", "C0PAGES", 84)
    assert (edited.posted_at, edited.updated_at, edited.latency_ms) == (at(0.084), at(60), 84)


def test_nodes_and_history_stand_in_the_thread_of_their_message(
    standins: StandIns, http: HttpPool
) -> None:
    sender = slack_sender(standins, http)

    told = tell(sender, story(*MANY, history=(OPENED, ACKED)))

    root, *replies = messages(standins)
    assert parts(standins) == ["root", "list/1", "history/2"]
    assert {reply["thread_ts"] for reply in replies} == {root["ts"]}
    assert told.parts["list/1"].vendor_id == replies[0]["ts"]
    assert told.said == 2


def test_a_list_page_is_edited_in_place(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    told = tell(sender, story(*MANY))

    tell(sender, story(*MANY, member(2, "node-99", joined_at=NOW)), told)

    assert parts(standins) == ["root", "list/1"]
    assert "`node-99`" in messages(standins)[1]["blocks"][1]["text"]["text"]
    assert messages(standins)[1]["revision"] == 1


def test_what_everybody_should_notice_is_shown_in_the_channel(
    standins: StandIns, http: HttpPool
) -> None:
    sender = slack_sender(standins, http)
    told = tell(sender, story(history=(OPENED,)))

    tell(sender, story(history=(OPENED, REMINDER)), told)

    [reply] = [m for m in messages(standins) if m["thread_ts"]]
    assert reply["broadcast"]


def test_plain_text_replaces_the_blocks(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    about = story(*MANY)
    receipt: Receipt | None = None
    while (task := sender.next(about, SLACK, receipt, at(100))) is not None:
        receipt = sender.send(sender.plain(task, about), SLACK, receipt)

    assert [message["blocks"] for message in messages(standins)] == [[], []]
    assert "`node-20`" in messages(standins)[1]["text"]


def test_a_message_that_somebody_deleted_is_posted_anew_with_its_thread(
    standins: StandIns, http: HttpPool
) -> None:
    sender = slack_sender(standins, http)
    told = tell(sender, story(*MANY))
    messages(standins).clear()

    again = tell(sender, story(*MANY, version=2, lead=incident(count=9)), told)

    root, lists = messages(standins)
    assert root["ts"] == again.vendor_id != told.vendor_id
    assert lists["thread_ts"] == root["ts"]
    assert again.parts["list/1"].vendor_id == lists["ts"]


def test_a_reply_to_a_message_that_is_gone_brings_the_message_back(
    standins: StandIns, http: HttpPool
) -> None:
    sender = slack_sender(standins, http)
    told = tell(sender, story(history=(OPENED,)))
    messages(standins).clear()

    again = tell(sender, story(history=(OPENED, REMINDER)), told, at(200))

    assert parts(standins) == ["root", "history/2"]
    assert again.vendor_id == messages(standins)[0]["ts"]


def test_a_message_that_takes_no_reply_is_not_posted_again_and_again(
    standins: StandIns, http: HttpPool
) -> None:
    sender = slack_sender(standins, http)
    about = story(*MANY, history=(OPENED,))
    root = sender.send(due(sender, about, None), SLACK, None)
    refused = {"do": "error", "error": "cannot_reply_to_message", "times": 9}
    standins.faults.plan([{"vendor": "slack", "method": "chat.postMessage", **refused}])

    with pytest.raises(Rejected, match="takes no reply"):
        sender.send(due(sender, about, root), SLACK, root)

    assert parts(standins) == ["root"]


def test_a_lost_answer_is_found_by_metadata(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    about = story(*MANY, history=(OPENED,))
    standins.faults.plan([{"vendor": "slack", "do": "drop_after"}])
    task = due(sender, about, None, at(0.084))
    with pytest.raises(Ambiguous):
        sender.send(task, SLACK, None)

    found = sender.find(task, about, SLACK, None)

    [message] = messages(standins)
    assert found is not None
    posted_at = datetime.fromtimestamp(float(message["ts"]), tz=NOW.tzinfo)
    assert found == task.becomes.model_copy(
        update={"vendor_id": message["ts"], "posted_at": posted_at}
    )


def test_a_lost_reply_is_found_in_the_thread(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    about = story(*MANY, history=(OPENED, ACKED))
    root = sender.send(due(sender, about, None), SLACK, None)
    whole = tell(sender, about, root)
    posts = len(messages(standins))

    found = sender.find(due(sender, about, root), about, SLACK, root)

    assert found is not None
    assert {name: part.vendor_id for name, part in found.parts.items()} == {
        name: part.vendor_id for name, part in whole.parts.items()
    }
    assert (found.said, len(messages(standins))) == (2, posts)
    assert sender.next(about, SLACK, found, at(200)) is None


def test_a_thread_without_news_holds_nothing_to_find(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    told = tell(sender, story(*MANY, history=(OPENED, ACKED)))
    third = Entry(number=3, at=at(40), what="its silence is over")
    about = story(*MANY, history=(OPENED, ACKED, third))

    assert sender.find(due(sender, about, told), about, SLACK, told) is None


def test_others_messages_are_not_taken_for_ours(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    tell(sender, story(about=page(2)))
    tell(sender, story(about=page(1, generation=2)))
    api, token = sender.api, slack_secret(standins).token.get_secret_value()
    api.put(token, "C0PAGES", "", {"text": "hello"})
    foreign = {"event_type": "other", "event_payload": {"key": page().key}}
    api.put(token, "C0PAGES", "", {"text": "hello", "metadata": foreign})
    odd = {"event_type": "reflexarc_incident", "event_payload": {}}
    api.put(token, "C0PAGES", "", {"text": "hello", "metadata": odd})

    assert sender.find(due(sender, story(), None), story(), SLACK, None) is None


def test_a_reply_that_the_channel_shows_is_not_taken_for_its_page(
    standins: StandIns, http: HttpPool
) -> None:
    sender = slack_sender(standins, http)
    told = tell(sender, story(history=(OPENED,)))
    tell(sender, story(history=(OPENED, REMINDER)), told)

    found = sender.find(due(sender, story(), None), story(), SLACK, None)

    assert found is not None
    assert found.vendor_id == told.vendor_id


def test_a_message_far_down_the_history_is_found(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    tell(sender, story(lead=WARNING))
    for _ in range(450):
        standins.slack._store("C0PAGES", {"text": "chatter"})

    found = sender.find(due(sender, story(), None), story(), SLACK, None)

    assert found is not None
    assert found.severity is Severity.WARNING


def test_the_search_ends_in_an_endless_channel(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    for _ in range(2_100):
        standins.slack._store("C0PAGES", {"text": "chatter"})

    assert sender.find(due(sender, story(), None), story(), SLACK, None) is None
    assert len(standins.journal.since(0, 0)) == 10


@pytest.mark.parametrize("error", ["missing_scope", "channel_not_found"])
def test_where_looking_is_impossible_a_second_message_is_better_than_none(
    standins: StandIns, http: HttpPool, error: str
) -> None:
    sender = slack_sender(standins, http)
    standins.faults.plan([{"vendor": "slack", "do": "error", "error": error}])

    assert sender.find(due(sender, story(), None), story(), SLACK, None) is None


def test_a_thread_that_is_gone_holds_nothing_to_find(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    about = story(*MANY)
    root = sender.send(due(sender, about, None), SLACK, None)
    standins.faults.plan([{"vendor": "slack", "do": "error", "error": "thread_not_found"}])

    assert sender.find(due(sender, about, root), about, SLACK, root) is None


def test_a_search_that_fails_for_now_is_not_taken_for_nothing_found(
    standins: StandIns, http: HttpPool
) -> None:
    sender = slack_sender(standins, http)
    standins.faults.plan([{"vendor": "slack", "do": "status", "status": 429, "retry_after": 7}])

    with pytest.raises(RateLimited) as limited:
        sender.find(due(sender, story(), None), story(), SLACK, None)

    assert limited.value.retry_after == timedelta(seconds=7)


def test_a_new_token_is_tried_before_giving_up(standins: StandIns, http: HttpPool) -> None:
    revoked = slack_secret(standins, token="xoxb-revoked", webhook_url="")
    held = HeldSecret(revoked, next_value=slack_secret(standins))

    sent = tell(slack_sender(standins, http, held), story())

    assert (sent.via, held.renewals) == ("slack", 1)


def test_a_revoked_token_says_what_to_do(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(slack_secret(standins, token="xoxb-revoked", webhook_url=""))

    with pytest.raises(Unavailable) as failure:
        tell(slack_sender(standins, http, held), story())

    assert "refuses the bot token (invalid_auth): put a new one there" in str(failure.value)
    assert "xoxb" not in str(failure.value)


def test_the_webhook_speaks_when_the_token_cannot(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(slack_secret(standins, token="xoxb-revoked"))

    sent = tell(slack_sender(standins, http, held), story(*MANY))

    [message] = messages(standins, WEBHOOK_CHANNEL)
    assert message["blocks"]
    assert (sent.via, sent.vendor_id) == ("fallback", "")


def test_without_a_token_nothing_is_looked_for(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(slack_secret(standins, token=""))
    sender = slack_sender(standins, http, held)

    assert sender.find(due(sender, story(), None), story(), SLACK, None) is None
    assert standins.journal.since(0, 0) == []


def test_without_a_message_of_its_own_a_page_has_no_thread_to_look_into(
    standins: StandIns, http: HttpPool
) -> None:
    held = HeldSecret(slack_secret(standins, token=""))
    sender = slack_sender(standins, http, held)
    first = tell(sender, story(history=(OPENED,)))
    held.value = slack_secret(standins)
    about = story(history=(OPENED, REMINDER))

    assert sender.find(due(sender, about, first), about, SLACK, first) is None


def test_a_webhook_adds_a_line_when_it_matters_and_is_silent_otherwise(
    standins: StandIns, http: HttpPool
) -> None:
    sender = slack_sender(standins, http, HeldSecret(slack_secret(standins, token="")))

    first = tell(sender, story(lead=WARNING, history=(OPENED,)))
    same = tell(sender, story(lead=WARNING, state="acked", history=(OPENED, ACKED)), first)
    graver = tell(sender, story(version=3, history=(OPENED, ACKED)), same)
    reminder = REMINDER.model_copy(update={"number": 3})
    again = tell(sender, story(version=4, history=(OPENED, ACKED, reminder)), graver)
    tell(sender, story(state="resolved", version=5), again)

    shown = messages(standins, WEBHOOK_CHANNEL)
    assert [message["text"].split(":")[0][:10] for message in shown] == [
        "🟠 WARNING",
        "🔴 CRITICAL",
        "🔴 still op",
        "✅ Resolved",
    ]
    assert [bool(message["blocks"]) for message in shown] == [True, False, False, False]
    assert graver.severity is Severity.CRITICAL


def test_the_token_s_message_is_edited_again_once_a_token_works(
    standins: StandIns, http: HttpPool
) -> None:
    held = HeldSecret(slack_secret(standins))
    sender = slack_sender(standins, http, held)
    first = tell(sender, story())
    held.value = slack_secret(standins, token="xoxb-revoked")
    kept = tell(sender, story(*MANY, version=2), first)
    held.value = slack_secret(standins)

    tell(sender, story(*MANY, version=3, state="resolved"), kept)

    root = messages(standins)[0]
    assert kept.vendor_id == first.vendor_id
    assert root["text"].startswith("✅ Resolved")
    assert messages(standins, WEBHOOK_CHANNEL) == []


def test_a_page_that_went_by_webhook_is_posted_once_a_token_works(
    standins: StandIns, http: HttpPool
) -> None:
    held = HeldSecret(slack_secret(standins, token=""))
    sender = slack_sender(standins, http, held)
    first = tell(sender, story())
    held.value = slack_secret(standins)

    sent = tell(sender, story(state="resolved"), first)

    assert (sent.via, len(messages(standins))) == ("slack", 1)


def test_a_reminder_of_a_page_that_went_by_webhook_is_a_message_once_a_token_works(
    standins: StandIns, http: HttpPool
) -> None:
    held = HeldSecret(slack_secret(standins, token=""))
    sender = slack_sender(standins, http, held)
    first = tell(sender, story(history=(OPENED,)))
    held.value = slack_secret(standins)

    tell(sender, story(history=(OPENED, REMINDER)), first)

    [message] = messages(standins)
    assert (message["thread_ts"], message["text"][:12]) == (None, "🔴 still open")


def test_a_dead_webhook_says_what_to_do(standins: StandIns, http: HttpPool) -> None:
    url = f"{standins.url}/services/T0/B0/gone"
    held = HeldSecret(slack_secret(standins, token="", webhook_url=url))

    with pytest.raises(Unavailable, match=r"webhook \(no_service\): put a new one there"):
        tell(slack_sender(standins, http, held), story())


def test_a_channel_that_slack_does_not_know_is_named(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    nowhere = Channel(name="slack", kind="slack", destination="Nowhere At All")

    with pytest.raises(Unavailable, match="takes nothing for Nowhere At All"):
        sender.send(due(sender, story(), None), nowhere, None)


def test_refused_blocks_are_named(standins: StandIns, http: HttpPool) -> None:
    api = SlackWebApi(http=http, url=f"{standins.url}/api")
    token = slack_secret(standins).token.get_secret_value()
    header = {"type": "header", "text": {"type": "plain_text", "text": "x" * 200}}

    with pytest.raises(Rejected, match=r"invalid_blocks; .*150 characters"):
        api.put(token, "C0PAGES", "", {"text": "x", "blocks": [header]})


def test_an_answer_that_names_no_message_is_ambiguous(standins: StandIns, http: HttpPool) -> None:
    api = SlackWebApi(http=http, url=f"{standins.url}/api")
    token = slack_secret(standins).token.get_secret_value()

    with pytest.raises(Ambiguous, match="names no message"):
        api._told(token, "auth.test", {"channel": "C0PAGES"})


def people(standins: StandIns, http: HttpPool, **secret: str) -> SlackAnswers:
    api = SlackWebApi(http=http, url=f"{standins.url}/api")
    return SlackAnswers(api=api, secret=HeldSecret(slack_secret(standins, **secret)))


def test_who_clicked_is_answered_and_nobody_else(standins: StandIns, http: HttpPool) -> None:
    people(standins, http).answer("C0PAGES|1.0", "U0ALICE", "<!channel> is resolved already")

    assert standins.slack.whispers == [
        {
            "channel": "C0PAGES",
            "user": "U0ALICE",
            "text": "&lt;!channel&gt; is resolved already",
        }
    ]
    assert messages(standins) == []


@pytest.mark.parametrize(
    ("reply_to", "person", "text"),
    [("", "U0ALICE", "done"), ("C0PAGES|1.0", "", "done"), ("C0PAGES|1.0", "U0ALICE", "\u200b")],
)
def test_nobody_is_answered_where_nobody_waits(
    standins: StandIns, http: HttpPool, reply_to: str, person: str, text: str
) -> None:
    people(standins, http).answer(reply_to, person, text)

    assert standins.journal.since(0, 0) == []


def test_without_a_token_nobody_is_answered(standins: StandIns, http: HttpPool) -> None:
    people(standins, http, token="").answer("C0PAGES|1.0", "U0ALICE", "done")

    assert standins.journal.since(0, 0) == []


@pytest.mark.parametrize(
    "error", ["user_not_in_channel", "channel_not_found", "missing_scope", "fatal_error", "no_text"]
)
def test_an_answer_that_cannot_be_told_is_let_go(
    standins: StandIns, http: HttpPool, error: str
) -> None:
    standins.faults.plan([{"vendor": "slack", "do": "error", "error": error, "times": 2}])

    people(standins, http).answer("C0PAGES|1.0", "U0ALICE", "done")

    assert standins.slack.whispers == []


def test_an_answer_is_tried_again_when_slack_asks_for_patience(
    standins: StandIns, http: HttpPool
) -> None:
    standins.faults.plan([{"vendor": "slack", "do": "status", "status": 429}])

    with pytest.raises(RateLimited):
        people(standins, http).answer("C0PAGES|1.0", "U0ALICE", "done")


def answer(status: int, body: str = "") -> Answer:
    return Answer(status=status, body=body.encode(), headers={"Retry-After": "2"})


@pytest.mark.parametrize(
    ("given", "meaning"),
    [
        (answer(429), RateLimited),
        (answer(503), Ambiguous),
        (answer(200, "<html>"), Ambiguous),
        (answer(404, "<html>"), Unavailable),
        (answer(200, '{"ok": false, "error": "ratelimited"}'), RateLimited),
        (answer(200, '{"ok": false, "error": "fatal_error"}'), Ambiguous),
        (answer(200, '{"ok": false, "error": "missing_scope", "needed": "x"}'), Unavailable),
        (answer(200, '{"ok": false, "error": "not_in_channel"}'), Unavailable),
        (answer(200, '{"ok": false, "error": "msg_too_long"}'), Rejected),
        (answer(200, '{"ok": false, "error": "no_text", "response_metadata": []}'), Rejected),
        (answer(200, '{"ok": false, "error": "something_new"}'), Unavailable),
        (answer(200, "{}"), Unavailable),
    ],
)
def test_each_answer_of_the_web_api_has_one_meaning(
    given: Answer, meaning: type[Exception]
) -> None:
    with pytest.raises(meaning) as error:
        checked(given, "C1")

    assert isinstance(error.value, Ambiguous) == (meaning is Ambiguous)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, Rejected),
        (403, Unavailable),
        (418, Unavailable),
        (429, RateLimited),
        (500, Ambiguous),
    ],
)
def test_each_answer_of_the_webhook_has_one_meaning(status: int, meaning: type[Exception]) -> None:
    with pytest.raises(meaning):
        checked_webhook(answer(status, "invalid_payload"))


def test_a_secret_needs_a_token_or_a_webhook_and_never_shows_either() -> None:
    secret = SlackSecret.model_validate({"token": "xoxb-1234", "signing_secret": "5678"})

    assert "1234" not in repr(secret)
    assert "5678" not in repr(secret)
    with pytest.raises(ValueError, match="neither token nor webhook_url"):
        SlackSecret.model_validate({"token": "", "signing_secret": "5678"})
