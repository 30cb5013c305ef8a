import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from reflexarc.actions.clicks import PRESSED_MAX, clicked
from reflexarc.actions.model import Refused
from reflexarc.events.incident import PageRef
from tests.unit.actions.fakes import NOW, SCOPE, form, payload, signed

AT = NOW.replace(microsecond=0)


def pressed(**changes: Any) -> dict[str, Any]:
    button: dict[str, Any] = payload()["actions"][0]
    return button | changes


@pytest.mark.parametrize("act", ["ack", "silence", "resolve", "not_a_fault"])
def test_a_button_becomes_an_action_of_its_person_on_its_page(act: str) -> None:
    (action,) = clicked(signed(form(payload(f"reflexarc_{act}"))), AT)

    assert action.act == act
    assert action.page == PageRef(scope=SCOPE, generation=3)
    assert action.person.model_dump() == {"id": "U0ONCALL", "name": "on.call", "via": "slack"}
    assert action.at == AT
    assert action.reply_to == "C0GPUALERTS|1772366000.000100"
    assert action.for_s == timedelta(hours=1).total_seconds()


def test_a_repeat_has_the_same_id_and_another_click_another() -> None:
    first = clicked(signed(form(payload())), AT)

    assert clicked(signed(form(payload())), AT) == first
    assert clicked(signed(form(payload(trigger_id="2.3"))), AT)[0].id != first[0].id


def test_two_buttons_in_one_request_are_two_actions() -> None:
    both = [pressed(), pressed(action_id="reflexarc_resolve")]

    first, second = clicked(signed(form(payload(actions=both))), AT)

    assert (first.act, second.act) == ("ack", "resolve")
    assert first.id != second.id


@pytest.mark.parametrize(
    "document",
    [
        {"type": "view_submission", "user": {"id": "U1"}, "view": {}},
        {"type": "view_closed"},
        {"type": "url_verification", "challenge": "x"},
        {"type": "shortcut", "actions": "none"},
        payload("some_other_apps_button"),
        payload("reflexarc_"),
        payload("reflexarc_dance"),
        payload(actions=[{"action_id": "users", "selected_user": "U2"}]),
        payload(actions=[]),
    ],
)
def test_what_is_not_ours_asks_for_nothing(document: dict[str, Any]) -> None:
    assert clicked(signed(form(document)), AT) == ()


def test_slacks_check_of_the_certificate_asks_for_nothing() -> None:
    assert clicked(signed(b"ssl_check=1&token=x"), AT) == ()


@pytest.mark.parametrize("names", [{"username": None, "name": "b"}, {"name": "b"}])
def test_a_person_without_a_handle_is_called_by_name(names: dict[str, Any]) -> None:
    (action,) = clicked(signed(form(payload(user={"id": "U1", **names}))), AT)

    assert action.person.name == "b"


def test_a_person_without_any_name_is_an_id() -> None:
    (action,) = clicked(signed(form(payload(user={"id": "U1"}))), AT)

    assert (action.person.id, action.person.name) == ("U1", "")


def test_a_long_name_is_cut() -> None:
    (action,) = clicked(signed(form(payload(user={"id": "U1", "name": "\u00fc" * 999}))), AT)

    assert action.person.name == "\u00fc" * 200


def without(name: str) -> dict[str, Any]:
    document = payload()
    del document[name]
    return document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload",
        b"payload=",
        b"other=1",
        "payload=\u00fc".encode(),
        b"payload=%ff",
        b"payload={}&payload={}",
        b"&".join(b"f%d=1" % number for number in range(100)),
        b'{"type": "url_verification"}',
        form("{"),
        form("null"),
        form("[]"),
        form('{"type": 7}'),
        form("[" * 200_000),
        form('{"type": "block_actions", "x": ' + "9" * 100_000 + "}"),
        form('{"type": "block_actions", "x": "\\ud800"}'),
        form(without("user")),
        form(without("container")),
        form(without("actions")),
        form(payload(user={"id": ""})),
        form(payload(user={"id": "U" * 201})),
        form(payload(user=None)),
        form(payload(container={"channel_id": "C1"})),
        form(payload(container={"channel_id": "C1", "message_ts": 5})),
        form(payload(actions={})),
        form(payload(actions=[pressed()] * (PRESSED_MAX + 1))),
        form(payload(actions=[{"value": "{}"}])),
        form(payload(actions=[pressed(value=None)])),
        form(payload(actions=[pressed(value={"scope": SCOPE, "generation": 3})])),
        form(payload(actions=[pressed(value="ack")])),
        form(payload(actions=[pressed(value="{}")])),
        form(payload(actions=[pressed(value=json.dumps({"scope": "x", "generation": 3}))])),
        form(payload(actions=[pressed(value=json.dumps({"scope": SCOPE, "generation": 0}))])),
    ],
)
def test_what_slack_would_not_send_is_refused_with_words(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        clicked(signed(body), AT)

    assert refused.value.status == 400
    assert str(refused.value)


def test_a_refusal_repeats_nothing_of_the_body() -> None:
    for body in (
        form(payload(user={"id": 5, "name": "hush"})),
        form(payload(actions=[pressed(value="hush")])),
        b"hush",
        quote('{"hush').encode(),
    ):
        with pytest.raises(Refused) as refused:
            clicked(signed(body), AT)

        assert "hush" not in str(refused.value)
