from typing import get_args

import pytest

from reflexarc.events.notice import ChannelKind
from reflexarc.notify.rules import VENDORS
from reflexarc.runtime import clients
from reflexarc.runtime.senders import SENDERS, senders
from reflexarc.runtime.settings import NotifySettings
from tests.functions.environment import NOTIFY


def test_every_kind_of_channel_has_a_sender_and_wakes_it() -> None:
    kinds = get_args(ChannelKind)

    assert set(SENDERS) == set(kinds)
    assert [vendor.rstrip("/") for vendor in VENDORS] == list(kinds)


def test_senders_are_made_without_reading_a_secret_or_calling_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", NOTIFY["AWS_DEFAULT_REGION"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    made = senders(NotifySettings.load(NOTIFY))

    clients._client.cache_clear()
    clients._session.cache_clear()
    assert set(made) == set(SENDERS)
