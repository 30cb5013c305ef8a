from dataclasses import replace
from datetime import timedelta

import pytest

from reflexarc.actions.model import Post, Refused
from reflexarc.actions.signature import digest_of, is_signed, sent_at, signature_of
from tests.unit.actions.fakes import NOW, SECRET, form, payload, signed


def test_the_signature_of_slacks_documentation_is_made() -> None:
    # https://docs.slack.dev/authentication/verifying-requests-from-slack has this example.
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        "&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        "&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        "%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    post = Post(method="POST", body=body.encode(), timestamp="1531420618")

    assert signature_of(post, SECRET) == (
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


def test_what_slacks_own_library_signs_is_signed() -> None:
    assert is_signed(signed(form(payload())), SECRET)


@pytest.mark.parametrize("secret", ["", "8f742231b10e8888abcd99yyyzzz85a6", SECRET + "0", "\u00fc"])
def test_another_secret_signs_nothing(secret: str) -> None:
    assert not is_signed(signed(form(payload())), secret)


def test_a_changed_byte_breaks_the_signature() -> None:
    post = signed(form(payload()))

    assert not is_signed(replace(post, body=post.body + b" "), SECRET)
    assert not is_signed(replace(post, timestamp=str(int(post.timestamp) + 1)), SECRET)
    assert not is_signed(replace(post, signature=post.signature[:-1] + "g"), SECRET)


def test_nobody_signs_with_an_empty_secret() -> None:
    post = signed(b"x")

    assert not is_signed(replace(post, signature=signature_of(post, "")), "")


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_request_may_be_five_minutes_away(seconds: int) -> None:
    at = NOW.replace(microsecond=0)

    assert sent_at(signed(b"x", at=at), at + timedelta(seconds=seconds)) == at


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_request_from_further_away_is_stale(seconds: int) -> None:
    with pytest.raises(Refused, match="stale") as refused:
        sent_at(signed(b"x", at=NOW), NOW.replace(microsecond=0) + timedelta(seconds=seconds))

    assert refused.value.status == 401


@pytest.mark.parametrize(
    ("timestamp", "signature"),
    [
        ("", "v0=" + "0" * 64),
        ("1772366400", ""),
        ("1772366400.5", "v0=" + "0" * 64),
        ("-1", "v0=" + "0" * 64),
        ("\u0661\u0662", "v0=" + "0" * 64),
        ("9" * 12, "v0=" + "0" * 64),
        ("9" * 400, "v0=" + "0" * 64),
        ("1772366400", "v0=" + "0" * 63),
        ("1772366400", "v0=" + "A" * 64),
        ("1772366400", "v1=" + "0" * 64),
        ("1772366400", "v0=" + "\u0660" * 64),
        ("1772366400\n", "v0=" + "0" * 64),
        ("1772366400", "v0=" + "0" * 64 + ",v0=" + "0" * 64),
    ],
)
def test_headers_that_slack_would_not_send_are_refused(timestamp: str, signature: str) -> None:
    post = Post(method="POST", body=b"", timestamp=timestamp, signature=signature)

    with pytest.raises(Refused, match="forged") as refused:
        sent_at(post, NOW)

    assert refused.value.status == 401


def test_a_click_is_remembered_without_its_signature() -> None:
    first, second = signed(b"x"), signed(b"y")

    assert digest_of(first) == digest_of(signed(b"x"))
    assert digest_of(first) != digest_of(second)
    assert first.signature.removeprefix("v0=") not in digest_of(first)
