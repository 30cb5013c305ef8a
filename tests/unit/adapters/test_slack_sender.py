from datetime import timedelta
from typing import Any

import pytest

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.slack.answers import checked, checked_webhook
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.events.notice import Channel
from reflexarc.events.severity import Severity
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from samples.standins.server import WEBHOOK_CHANNEL, StandIns
from tests.support.notices import NOW, SLACK, at, notice, receipt
from tests.support.standins import HeldSecret, slack_secret, slack_sender


def messages(standins: StandIns, channel: str = SLACK.destination) -> list[dict[str, Any]]:
    return standins.slack.channels.get(channel, [])


def test_a_page_is_posted_and_then_edited_in_place(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)

    posted = sender.send(notice(), None, at(0.084))
    edited = sender.send(notice("resolve", version=2), posted, at(60))

    [message] = messages(standins)
    assert message["ts"] == posted.vendor_id == edited.vendor_id
    assert message["text"].startswith("✅ Resolved")
    assert message["blocks"][0]["text"]["text"].startswith("✅ Resolved")
    assert message["metadata"]["event_payload"]["version"] == 2
    assert (posted.via, posted.destination, posted.latency_ms) == ("slack", "C0PAGES", 84)
    assert (edited.posted_at, edited.latency_ms) == (at(0.084), 84)


def test_plain_text_replaces_the_blocks(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    posted = sender.send(notice(), None, NOW)

    sender.send(notice("update", version=2), posted, NOW, plain=True)
    sender.send(notice(gpu=2), None, NOW, plain=True)

    assert [message["blocks"] for message in messages(standins)] == [[], []]


def test_a_message_that_somebody_deleted_is_posted_anew(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    posted = sender.send(notice(), None, NOW)
    messages(standins).clear()

    again = sender.send(notice("update", version=2), posted, NOW)

    assert [message["ts"] for message in messages(standins)] == [again.vendor_id]
    assert again.vendor_id != posted.vendor_id


def test_a_lost_answer_is_found_by_metadata(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    standins.faults.plan([{"vendor": "slack", "do": "drop_after"}])
    with pytest.raises(Ambiguous):
        sender.send(notice(), None, at(0.084))

    found = sender.find(notice())

    [message] = messages(standins)
    assert found is not None
    assert (found.vendor_id, found.destination) == (message["ts"], "C0PAGES")
    assert (found.severity, found.latency_ms) == (Severity.CRITICAL, 84)


def test_others_messages_are_not_taken_for_ours(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    sender.send(notice(gpu=2), None, NOW)
    sender.send(notice(gpu=1, generation=2), None, NOW)
    api, token = sender.api, slack_secret(standins).token.get_secret_value()
    api.post(token, "C0PAGES", {"text": "hello"})
    foreign = {"event_type": "other", "event_payload": {"key": notice().incident.key}}
    api.post(token, "C0PAGES", {"text": "hello", "metadata": foreign})

    assert sender.find(notice()) is None


def test_a_message_far_down_the_history_is_found(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    sender.send(notice(severity=Severity.WARNING), None, NOW)
    for _ in range(450):
        standins.slack._store("C0PAGES", {"text": "chatter"})

    found = sender.find(notice())

    assert found is not None
    assert found.severity is Severity.WARNING


def test_the_search_ends_in_an_endless_channel(standins: StandIns, http: HttpPool) -> None:
    sender = slack_sender(standins, http)
    for _ in range(2_100):
        standins.slack._store("C0PAGES", {"text": "chatter"})

    assert sender.find(notice()) is None
    assert len(standins.journal.since(0, 0)) == 10


@pytest.mark.parametrize("error", ["missing_scope", "channel_not_found"])
def test_where_looking_is_impossible_a_second_message_is_better_than_none(
    standins: StandIns, http: HttpPool, error: str
) -> None:
    standins.faults.plan([{"vendor": "slack", "do": "error", "error": error}])

    assert slack_sender(standins, http).find(notice()) is None


def test_a_search_that_fails_for_now_is_not_taken_for_nothing_found(
    standins: StandIns, http: HttpPool
) -> None:
    standins.faults.plan([{"vendor": "slack", "do": "status", "status": 429, "retry_after": 7}])

    with pytest.raises(RateLimited) as limited:
        slack_sender(standins, http).find(notice())

    assert limited.value.retry_after == timedelta(seconds=7)


def test_a_new_token_is_tried_before_giving_up(standins: StandIns, http: HttpPool) -> None:
    revoked = slack_secret(standins, token="xoxb-revoked", webhook_url="")
    held = HeldSecret(revoked, next_value=slack_secret(standins))

    sent = slack_sender(standins, http, held).send(notice(), None, NOW)

    assert (sent.via, held.renewals) == ("slack", 1)


def test_a_revoked_token_says_what_to_do(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(slack_secret(standins, token="xoxb-revoked", webhook_url=""))

    with pytest.raises(Unavailable) as failure:
        slack_sender(standins, http, held).send(notice(), None, NOW)

    assert "refuses the bot token (invalid_auth): put a new one there" in str(failure.value)
    assert "xoxb" not in str(failure.value)


def test_the_webhook_speaks_when_the_token_cannot(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(slack_secret(standins, token="xoxb-revoked"))

    sent = slack_sender(standins, http, held).send(notice(), None, NOW)

    [message] = messages(standins, WEBHOOK_CHANNEL)
    assert message["blocks"]
    assert (sent.via, sent.vendor_id) == ("webhook", "")


def test_without_a_token_nothing_is_looked_for(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(slack_secret(standins, token=""))

    assert slack_sender(standins, http, held).find(notice()) is None
    assert standins.journal.since(0, 0) == []


def test_a_webhook_adds_a_line_when_it_matters_and_is_silent_otherwise(
    standins: StandIns, http: HttpPool
) -> None:
    sender = slack_sender(standins, http, HeldSecret(slack_secret(standins, token="")))

    first = sender.send(notice(severity=Severity.WARNING), None, NOW)
    same = sender.send(notice("update", version=2, severity=Severity.WARNING), first, NOW)
    graver = sender.send(notice("update", version=3), same, NOW)
    sender.send(notice("resolve", version=4), graver, NOW)

    signs = [message["text"][0] for message in messages(standins, WEBHOOK_CHANNEL)]
    assert signs == ["🟠", "🔴", "✅"]
    assert [bool(m["blocks"]) for m in messages(standins, WEBHOOK_CHANNEL)] == [True, False, False]
    assert graver.severity is Severity.CRITICAL


def test_the_token_s_message_is_edited_again_once_a_token_works(
    standins: StandIns, http: HttpPool
) -> None:
    held = HeldSecret(slack_secret(standins))
    sender = slack_sender(standins, http, held)
    first = sender.send(notice(), None, NOW)
    held.value = slack_secret(standins, token="xoxb-revoked")
    kept = sender.send(notice("update", version=2), first, NOW)
    held.value = slack_secret(standins)

    sender.send(notice("resolve", version=3), kept, NOW)

    [message] = messages(standins)
    assert kept.vendor_id == first.vendor_id
    assert message["text"].startswith("✅ Resolved")


def test_a_page_that_went_by_webhook_is_posted_once_a_token_works(
    standins: StandIns, http: HttpPool
) -> None:
    sent = slack_sender(standins, http).send(
        notice("resolve"), receipt(via="webhook", vendor_id="", destination=""), NOW
    )

    assert (sent.via, len(messages(standins))) == ("slack", 1)


def test_a_dead_webhook_says_what_to_do(standins: StandIns, http: HttpPool) -> None:
    url = f"{standins.url}/services/T0/B0/gone"
    held = HeldSecret(slack_secret(standins, token="", webhook_url=url))

    with pytest.raises(Unavailable, match=r"webhook \(no_service\): put a new one there"):
        slack_sender(standins, http, held).send(notice(), None, NOW)


def test_a_channel_that_slack_does_not_know_is_named(standins: StandIns, http: HttpPool) -> None:
    lost = notice(channel=Channel(name="slack", kind="slack", destination="Nowhere At All"))

    with pytest.raises(Unavailable, match="takes nothing for Nowhere At All"):
        slack_sender(standins, http).send(lost, None, NOW)


def test_refused_blocks_are_named(standins: StandIns, http: HttpPool) -> None:
    api = SlackWebApi(http=http, url=f"{standins.url}/api")
    token = slack_secret(standins).token.get_secret_value()
    header = {"type": "header", "text": {"type": "plain_text", "text": "x" * 200}}

    with pytest.raises(Rejected, match=r"invalid_blocks; .*150 characters"):
        api.post(token, "C0PAGES", {"text": "x", "blocks": [header]})


def test_an_answer_that_names_no_message_is_ambiguous(standins: StandIns, http: HttpPool) -> None:
    api = SlackWebApi(http=http, url=f"{standins.url}/api")
    token = slack_secret(standins).token.get_secret_value()

    with pytest.raises(Ambiguous, match="names no message"):
        api._told(token, "auth.test", {"channel": "C0PAGES"})


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
    secret = SlackSecret.model_validate({"token": "xoxb-1234"})

    assert "1234" not in repr(secret)
    with pytest.raises(ValueError, match="neither token nor webhook_url"):
        SlackSecret.model_validate({"token": ""})
