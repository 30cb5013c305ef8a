from datetime import timedelta
from typing import Any

import pytest

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.pagerduty.secret import PagerDutySecret
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from samples.standins.server import StandIns
from tests.support.notices import NOW, PAGERDUTY, at, notice
from tests.support.standins import HeldSecret, pagerduty_secret, pagerduty_sender


def state(standins: StandIns) -> list[tuple[str, int]]:
    return [(i["status"], len(i["events"])) for i in standins.pagerduty.incidents]


def test_one_alert_a_generation_whatever_is_repeated(standins: StandIns, http: HttpPool) -> None:
    sender = pagerduty_sender(standins, http)

    opened = sender.send(notice(channel=PAGERDUTY), None, at(0.084))
    sender.send(notice(channel=PAGERDUTY), None, at(1))
    sender.send(notice("update", PAGERDUTY, version=2), opened, at(2))
    ended = sender.send(notice("resolve", PAGERDUTY, version=3), opened, at(3))
    sender.send(notice("trigger", PAGERDUTY, generation=2, version=4), None, at(4))

    assert state(standins) == [("resolved", 4), ("triggered", 1)]
    assert (opened.vendor_id, opened.via) == (notice().incident.key, "pagerduty")
    assert (ended.posted_at, ended.latency_ms) == (at(0.084), 84)


def test_plain_events_are_taken(standins: StandIns, http: HttpPool) -> None:
    pagerduty_sender(standins, http).send(notice(channel=PAGERDUTY), None, NOW, plain=True)

    assert state(standins) == [("triggered", 1)]


def test_a_missing_answer_is_no_danger(standins: StandIns, http: HttpPool) -> None:
    sender = pagerduty_sender(standins, http)
    standins.faults.plan([{"vendor": "pagerduty", "do": "drop_after"}])

    with pytest.raises(Unavailable) as failure:
        sender.send(notice(channel=PAGERDUTY), None, NOW)

    assert not isinstance(failure.value, Ambiguous)
    assert sender.find(notice()) is None
    sender.send(notice(channel=PAGERDUTY), None, NOW)
    assert state(standins) == [("triggered", 2)]


@pytest.mark.parametrize("status", [500, 503, 403, 404])
def test_a_vendor_in_trouble_is_tried_later(
    standins: StandIns, http: HttpPool, status: int
) -> None:
    standins.faults.plan([{"vendor": "pagerduty", "do": "status", "status": status}])

    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        pagerduty_sender(standins, http).send(notice(channel=PAGERDUTY), None, NOW)


def test_the_vendor_s_limit_is_heeded(standins: StandIns, http: HttpPool) -> None:
    standins.faults.plan([{"vendor": "pagerduty", "do": "status", "status": 429, "retry_after": 9}])

    with pytest.raises(RateLimited) as limited:
        pagerduty_sender(standins, http).send(notice(channel=PAGERDUTY), None, NOW)

    assert limited.value.retry_after == timedelta(seconds=9)


def test_a_new_key_is_tried_before_giving_up(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(pagerduty_secret("x" * 32), next_value=pagerduty_secret())

    pagerduty_sender(standins, http, held).send(notice(channel=PAGERDUTY), None, NOW)

    assert state(standins) == [("triggered", 1)]


def test_a_deleted_integration_is_no_fault_of_the_page(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(pagerduty_secret("x" * 32))

    with pytest.raises(Unavailable, match="refuses the integration key: put a new one there"):
        pagerduty_sender(standins, http, held).send(notice(channel=PAGERDUTY), None, NOW)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event_action": "trigger", "payload": {}}, "'payload.summary' is missing or blank"),
        ({"event_action": "fire"}, "'event_action' is invalid"),
    ],
)
def test_a_refused_event_names_why(
    standins: StandIns, http: HttpPool, event: dict[str, Any], said: str
) -> None:
    with pytest.raises(Rejected, match=said):
        pagerduty_sender(standins, http)._enqueue(event, pagerduty_secret())


def test_a_refusal_without_errors_shows_the_body(standins: StandIns, http: HttpPool) -> None:
    answer = Answer(status=413, body=b"too large", headers={})

    with pytest.raises(Rejected, match="refuses the event: too large"):
        pagerduty_sender(standins, http)._check(answer)


@pytest.mark.parametrize("key", ["", "short", "é" * 32, "x" * 31 + " "])
def test_a_key_that_cannot_be_one_is_refused_before_it_is_used(key: str) -> None:
    with pytest.raises(ValueError, match="32 letters and digits") as error:
        PagerDutySecret.model_validate({"routing_key": key})

    assert not key or key not in str(error.value)
