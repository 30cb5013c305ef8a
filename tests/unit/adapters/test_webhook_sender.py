import hashlib
import hmac
from datetime import timedelta

import pytest

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.adapters.webhook import signature
from reflexarc.adapters.webhook.secret import WebhookSecret
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify.model import Task
from samples.standins.server import HOOK_KEY, StandIns
from tests.support.notices import NOW, WEBHOOK, at, member, story
from tests.support.standins import HeldSecret, webhook_channel, webhook_secret, webhook_sender

OTHER_KEY = "another-signing-key-of-32-characters"


def opening(standins: StandIns, http: HttpPool) -> Task:
    task = webhook_sender(standins, http).next(story(member(2)), WEBHOOK, None, at(0.1))
    assert task is not None
    return task


def secret_of(name: str, *keys: str) -> WebhookSecret:
    return WebhookSecret.model_validate({"keys": {name: keys}})


def happenings(standins: StandIns) -> list[str]:
    return [event["event"] for event in standins.webhook.events]


def test_a_page_s_life_reaches_the_receiver_signed_and_by_schema(
    standins: StandIns, http: HttpPool
) -> None:
    sender, channel = webhook_sender(standins, http), webhook_channel(standins)
    receipt = None

    for told in (story(), story(state="acked"), story(state="resolved")):
        while task := sender.next(told, channel, receipt, at(1)):
            receipt = sender.send(task, channel, receipt)

    assert happenings(standins) == ["opened", "acknowledged", "resolved"]
    assert receipt is not None
    assert (receipt.via, receipt.state) == ("webhook", "resolved")


def test_an_event_whose_answer_got_lost_comes_again_under_the_same_id(
    standins: StandIns, http: HttpPool
) -> None:
    sender, channel = webhook_sender(standins, http), webhook_channel(standins)
    standins.faults.plan([{"vendor": "webhook", "do": "drop_after"}])
    task = opening(standins, http)

    with pytest.raises(Unavailable) as failure:
        sender.send(task, channel, None)

    assert not isinstance(failure.value, Ambiguous)
    assert sender.find(task, story(), channel, None) is None
    sender.send(task, channel, None)
    assert happenings(standins) == ["opened"]
    assert standins.webhook.repeats == 1


def test_a_plain_event_is_taken(standins: StandIns, http: HttpPool) -> None:
    sender = webhook_sender(standins, http)

    sender.send(sender.plain(opening(standins, http), story()), webhook_channel(standins), None)

    assert standins.webhook.events[0]["nodes"] == []


def test_both_keys_sign_while_a_receiver_changes_over(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(secret_of("webhook", OTHER_KEY, HOOK_KEY))

    webhook_sender(standins, http, held).send(
        opening(standins, http), webhook_channel(standins), None
    )

    assert happenings(standins) == ["opened"]


def test_a_channel_may_name_the_key_that_it_signs_with(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(secret_of("shared", HOOK_KEY))
    channel = webhook_channel(standins, secret="shared")

    webhook_sender(standins, http, held).send(opening(standins, http), channel, None)

    assert happenings(standins) == ["opened"]


def test_a_new_key_is_tried_before_giving_up(standins: StandIns, http: HttpPool) -> None:
    held = HeldSecret(secret_of("webhook", OTHER_KEY), next_value=webhook_secret(standins))

    webhook_sender(standins, http, held).send(
        opening(standins, http), webhook_channel(standins), None
    )

    assert happenings(standins) == ["opened"]


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (secret_of("webhook", OTHER_KEY), "answered HTTP 401: put a new one there"),
        (secret_of("other", HOOK_KEY), "no key 'webhook' for channel webhook: put a new one there"),
    ],
)
def test_a_page_waits_for_a_key_that_is_refused_or_missing(
    standins: StandIns, http: HttpPool, secret: WebhookSecret, said: str
) -> None:
    sender = webhook_sender(standins, http, HeldSecret(secret))

    with pytest.raises(Unavailable, match=said):
        sender.send(opening(standins, http), webhook_channel(standins), None)

    assert happenings(standins) == []


@pytest.mark.parametrize("status", [301, 404, 405, 408, 410, 425, 500, 502, 503])
def test_a_receiver_in_trouble_is_tried_later(
    standins: StandIns, http: HttpPool, status: int
) -> None:
    standins.faults.plan([{"vendor": "webhook", "do": "status", "status": status}])

    with pytest.raises(Unavailable, match=f"channel webhook's receiver answered HTTP {status}"):
        webhook_sender(standins, http).send(
            opening(standins, http), webhook_channel(standins), None
        )


def test_a_receiver_s_limit_is_heeded(standins: StandIns, http: HttpPool) -> None:
    standins.faults.plan([{"vendor": "webhook", "do": "status", "status": 429, "retry_after": 9}])

    with pytest.raises(RateLimited) as limited:
        webhook_sender(standins, http).send(
            opening(standins, http), webhook_channel(standins), None
        )

    assert limited.value.retry_after == timedelta(seconds=9)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_refused_event_is_never_tried_again(
    standins: StandIns, http: HttpPool, status: int
) -> None:
    standins.faults.plan([{"vendor": "webhook", "do": "status", "status": status}])

    with pytest.raises(Rejected, match=f"answered HTTP {status}: scripted"):
        webhook_sender(standins, http).send(
            opening(standins, http), webhook_channel(standins), None
        )


def test_plain_http_leaves_no_page_readable_on_the_way(standins: StandIns, http: HttpPool) -> None:
    channel = webhook_channel(standins, destination="http://hooks.example/pages")

    with pytest.raises(Unavailable, match=r"refusing to speak to hooks\.example other than by"):
        webhook_sender(standins, http).send(opening(standins, http), channel, None)


def test_the_signature_covers_the_moment_and_the_bytes() -> None:
    body = '{"summary":"é"}'.encode()
    unix = int(NOW.timestamp())
    right = hmac.new(b"k1", f"{unix}.".encode() + body, hashlib.sha256).hexdigest()

    header = signature.header(body, ("k1", "k2"), NOW)

    moment, first, second = header.split(",")
    assert (moment, first) == (f"t={unix}", f"v1={right}")
    assert second.startswith("v1=")
    assert signature.header(body, ("k1",), at(1)).split(",")[1] != first
    assert signature.header(body + b" ", ("k1",), NOW).split(",")[1] != first


@pytest.mark.parametrize(
    "keys", [{}, {"keys": {"a": []}}, {"keys": {"a": ["short"]}}, {"keys": {"a": ["x" * 32] * 3}}]
)
def test_a_secret_that_cannot_sign_is_refused_without_being_shown(keys: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="WebhookSecret") as error:
        WebhookSecret.model_validate(keys)

    assert "x" * 32 not in str(error.value)
