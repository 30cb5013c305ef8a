from dataclasses import replace
from datetime import timedelta

import pytest

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.pagerduty.secret import PagerDutySecret
from reflexarc.events.notice import Channel
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify import pagerduty_plan
from reflexarc.notify.model import Task
from samples.standins.server import StandIns
from tests.support.notices import NOW, PAGERDUTY, at, page, story
from tests.support.standins import HeldSecret, pagerduty_secret, pagerduty_sender

TEAM_B = Channel(name="team-b", kind="pagerduty", secret="b")


def state(standins: StandIns) -> list[tuple[str, int]]:
    return [(i["status"], len(i["events"])) for i in standins.pagerduty.incidents]


def opening() -> Task:
    task = pagerduty_plan.next_task(story(), None, NOW)
    assert task is not None
    return task


def test_one_alert_a_page_whatever_is_repeated(standins: StandIns, http: HttpPool) -> None:
    sender = pagerduty_sender(standins, http)
    first = sender.next(story(), PAGERDUTY, None, at(0.084))
    assert first is not None

    opened = sender.send(first, PAGERDUTY, None)
    sender.send(first, PAGERDUTY, None)
    last = sender.next(story(state="resolved"), PAGERDUTY, opened, at(3))
    assert last is not None
    ended = sender.send(last, PAGERDUTY, opened)

    assert state(standins) == [("resolved", 3)]
    assert (opened.vendor_id, opened.via) == (page().key, "pagerduty")
    assert (ended.state, ended.posted_at, ended.latency_ms) == ("resolved", at(0.084), 84)


def test_plain_events_are_taken(standins: StandIns, http: HttpPool) -> None:
    sender = pagerduty_sender(standins, http)

    sender.send(sender.plain(opening(), story()), PAGERDUTY, None)

    assert state(standins) == [("triggered", 1)]


def test_a_missing_answer_is_no_danger(standins: StandIns, http: HttpPool) -> None:
    sender = pagerduty_sender(standins, http)
    standins.faults.plan([{"vendor": "pagerduty", "do": "drop_after"}])

    with pytest.raises(Ambiguous):
        sender.send(opening(), PAGERDUTY, None)

    known = sender.find(opening(), story(), PAGERDUTY, None)
    repeated = sender.next(story(), PAGERDUTY, known, at(5))
    assert repeated is not None
    sender.send(repeated, PAGERDUTY, known)
    assert state(standins) == [("triggered", 2)]


@pytest.mark.parametrize("status", [500, 503, 403, 404])
def test_a_vendor_in_trouble_is_tried_later(
    standins: StandIns, http: HttpPool, status: int
) -> None:
    standins.faults.plan([{"vendor": "pagerduty", "do": "status", "status": status}])

    with pytest.raises(Unavailable, match=f"HTTP {status}") as failure:
        pagerduty_sender(standins, http).send(opening(), PAGERDUTY, None)

    assert isinstance(failure.value, Ambiguous) == (status >= 500)


def test_the_vendor_s_limit_is_heeded(standins: StandIns, http: HttpPool) -> None:
    standins.faults.plan([{"vendor": "pagerduty", "do": "status", "status": 429, "retry_after": 9}])

    with pytest.raises(RateLimited) as limited:
        pagerduty_sender(standins, http).send(opening(), PAGERDUTY, None)

    assert limited.value.retry_after == timedelta(seconds=9)


def test_a_new_key_is_tried_before_giving_up(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(pagerduty_secret("x" * 32), next_value=pagerduty_secret())

    pagerduty_sender(standins, http, held).send(opening(), PAGERDUTY, None)

    assert state(standins) == [("triggered", 1)]


def test_a_deleted_integration_is_no_fault_of_the_page(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(pagerduty_secret("x" * 32))

    with pytest.raises(Unavailable, match="refuses the integration key: put a new one there"):
        pagerduty_sender(standins, http, held).send(opening(), PAGERDUTY, None)


def test_a_channel_speaks_with_the_key_that_it_names(standins: StandIns, http: HttpPool) -> None:
    right = pagerduty_secret().routing_key.get_secret_value()
    secret = PagerDutySecret.model_validate({"routing_key": "x" * 32, "keys": {"b": right}})

    pagerduty_sender(standins, http, HeldSecret(secret)).send(opening(), TEAM_B, None)

    assert state(standins) == [("triggered", 1)]


def test_a_key_that_is_put_there_later_is_found(standins: StandIns, http: HttpPool) -> None:
    right = pagerduty_secret().routing_key.get_secret_value()
    later = PagerDutySecret.model_validate({"keys": {"b": right}})
    held = HeldSecret(pagerduty_secret(), next_value=later)

    pagerduty_sender(standins, http, held).send(opening(), TEAM_B, None)

    assert state(standins) == [("triggered", 1)]


@pytest.mark.parametrize(
    ("channel", "named"), [(TEAM_B, "'b' for channel team-b"), (PAGERDUTY, "'routing_key'")]
)
def test_a_channel_without_a_key_is_told_what_to_do(
    standins: StandIns, http: HttpPool, channel: Channel, named: str
) -> None:
    held = HeldSecret(PagerDutySecret.model_validate({"keys": {"a": "x" * 32}}))

    with pytest.raises(Unavailable, match=f"has no key {named}.*put a new one there"):
        pagerduty_sender(standins, http, held).send(opening(), channel, None)

    assert state(standins) == []


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event_action": "trigger", "payload": {}}, "'payload.summary' is missing or blank"),
        ({"event_action": "fire"}, "'event_action' is invalid"),
    ],
)
def test_a_refused_event_names_why(
    standins: StandIns, http: HttpPool, event: dict[str, object], said: str
) -> None:
    with pytest.raises(Rejected, match=said):
        pagerduty_sender(standins, http).send(replace(opening(), body=event), PAGERDUTY, None)


def test_a_refusal_without_errors_shows_the_body(standins: StandIns, http: HttpPool) -> None:
    answer = Answer(status=413, body=b"too large", headers={})

    with pytest.raises(Rejected, match="refuses the event: too large"):
        pagerduty_sender(standins, http)._check(answer)


@pytest.mark.parametrize("field", ["routing_key", "keys"])
@pytest.mark.parametrize("key", ["", "short", "é" * 32, "x" * 31 + " "])
def test_a_key_that_cannot_be_one_is_refused_before_it_is_used(field: str, key: str) -> None:
    secret = {"routing_key": key} if field == "routing_key" else {"keys": {"b": key}}

    with pytest.raises(ValueError, match="32 letters and digits") as error:
        PagerDutySecret.model_validate(secret)

    assert not key or key not in str(error.value)
