"""What each detector finds, and what it leaves."""

import random
import string
from time import process_time

import pytest

from reflexarc.engines.redact.card import CardDetector, luhn
from reflexarc.engines.redact.email_address import EmailDetector
from reflexarc.engines.redact.keys import KeyDetector
from reflexarc.engines.redact.model import Detector
from reflexarc.engines.redact.phone import PhoneDetector


def found(detector: Detector, text: str) -> list[str]:
    encoded = text.encode()
    return [encoded[start:end].decode() for start, end in detector.find(encoded)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("bob@example.com", "bob@example.com"),
        ("write to bob.smith+tag@mail.example.co.uk.", "bob.smith+tag@mail.example.co.uk"),
        ("<bob_1%x@ex-ample.org>", "bob_1%x@ex-ample.org"),
        ('"email":"bob@example.com"', "bob@example.com"),
        ("mail=bob@example.com&x=1", "bob@example.com"),
        ("q=bob%40example.com&x", "bob%40example.com"),
        ("mailto:bob@example.com", "bob@example.com"),
        ("josé@example.com", "josé@example.com"),
        ("иван@почта.рф", "иван@почта.рф"),
        ("bob@münchen.de", "bob@münchen.de"),
        ("请写信给bob@example.com谢谢", "bob@example.com"),
        ("bob@xn--mnchen-3ya.xn--p1ai", "bob@xn--mnchen-3ya.xn--p1ai"),
        ("bob@[192.0.2.1]", "bob@[192.0.2.1]"),
        ("bob@[IPv6:2001:db8::1]", "bob@[IPv6:2001:db8::1]"),
        ("o'brien@example.com", "brien@example.com"),
        ("a!@example.com", "a!@example.com"),
        ("git@github.com:acme/repo.git", "git@github.com"),
        ("https://bob@example.com/", "bob@example.com"),
        ("x" * 500 + "@example.com", "x" * 500 + "@example.com"),
    ],
)
def test_an_email_address_is_found(text: str, address: str) -> None:
    assert found(EmailDetector(), text) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "bob@",
        "@example.com",
        "bob@localhost",
        "react@18.2.0",
        "image@sha256:0123abcd",
        "icon@2x.png",
        "bob @ example.com",
        "@app.route",
        "bob@example.c0m1",
        "bob@.com",
        "50%40",
    ],
)
def test_what_only_looks_like_an_email_address_stays(text: str) -> None:
    assert found(EmailDetector(), text) == []


def test_all_addresses_of_a_text_are_found() -> None:
    assert found(EmailDetector(), "a@b.cc,c@d.ee;icon@2x.png f@g.hh") == [
        "a@b.cc",
        "c@d.ee",
        "f@g.hh",
    ]


def test_the_end_of_a_password_in_a_url_is_no_email_address() -> None:
    assert found(EmailDetector(), "postgres://app:pass@db.example.com/x bob@example.com") == [
        "bob@example.com"
    ]


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4222222222222",
        "4000000000000000006",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "30569309025904",
        "3852 000002 3237",
        "3566002020360505",
        "6200000000000005",
        "2200000000000004",
        "6304000000000000",
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "card {}.", '"pan":"{}"', "pan={}&", "on 2024-08-06 {} paid", "№{}№", "id_{}"]
)
def test_a_card_is_found(number: str, around: str) -> None:
    assert found(CardDetector(), around.format(number)) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",  # check digit
        "1760000000000000000",  # a time in nanoseconds
        "1760000000000000",  # in microseconds
        "1760000000000",  # in milliseconds
        "9111111111111111",  # no issuer
        "41111111111111111111111",  # a longer number
        "4111 11111111 1111111111111",
        "a4111111111111111",
        "4111111111111111f",
        "0.4111111111111111",
        "4111111111111111.5",
        "4111  1111  1111  1111",
        "4111-1111 1111-1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "01a20b7b-4111-1111-8111-111111111111",
    ],
)
def test_what_is_no_card_stays(text: str) -> None:
    assert found(CardDetector(), text) == []


def test_two_cards_in_a_row_are_two() -> None:
    row = "4111 1111 1111 1111 5555 5555 5555 4444"

    assert found(CardDetector(), row) == ["4111 1111 1111 1111", "5555 5555 5555 4444"]


def test_the_check_digit_catches_every_wrong_digit() -> None:
    number = bytearray(b"4111111111111111")

    for place in range(16):
        for digit in range(1, 10):
            wrong = bytearray(number)
            wrong[place] = 48 + (number[place] - 48 + digit) % 10
            assert not luhn(bytes(wrong))


@pytest.mark.parametrize(
    "number",
    [
        "+14155552671",
        "+1 415 555 2671",
        "+1-415-555-2671",
        "+1 (415) 555-2671",
        "+44 20 7946 0958",
        "+44 (0)20 7946 0958",
        "+49.30.12345678",
        "+861012345678",
        "+353 1 234 5678",
        "%2B14155552671",
        "(415) 555-2671",
        "(415)555-2671",
        "415-555-2671",
        "415.555.2671",
        "415 555 2671",
        "1-415-555-2671",
        "020 7946 0958",
        "(020) 7946 0958",
        "01632 960961",
        "030-12345678",
        "01 23 45 67 89",
        "01.23.45.67.89",
        "0800 123 4567",
        "0044 20 7946 0958",
    ],
)
@pytest.mark.parametrize("around", ["{}", "call {}.", '"tel":"{}"', "tel={}&x", "{} x12", "é{}é"])
def test_a_telephone_number_is_found(number: str, around: str) -> None:
    spans = found(PhoneDetector(), around.format(number))

    assert max(spans, key=len) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "2024-08-06 10:30:00.123456789+02:00",
        "2024-08-06T10:30:00+0100",
        "06-08-2024 10:30",
        "01-02-2024-1030",
        "10.0.0.17 192.168.100.200",
        "01a20b7b-bdac-74ca-89f2-2e1e5d15aa43",
        "a415-555-2671",
        "415-555-2671a",
        "415-555-26711",
        "1234-415-555-2671",
        "415-555-2671-1",
        "4155552671",
        "14155552671",
        "0123456789",
        "x+14155552671",
        "+14155552671a",
        "++14155552671",
        "+1415555267",
        "+141555526711",
        "+28012345678",
        "+12",
        "+1234567890123456",
        "115-555-2671",
        "415-155-2671",
        "0000 0010 2030 4050",
        "0044 20 79",
        "020 7946",
        "x020 7946 0958",
        "02-03-2024-1200",
        "0.123.456.7890",
        "step 00012-00034-00056",
    ],
)
def test_what_is_no_telephone_number_stays(text: str) -> None:
    assert found(PhoneDetector(), text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+14155552671 2024", "+14155552671"),
        ("+14155552671x12", "+14155552671"),
        ("020 7946 0958 2024", "020 7946 0958"),
        ("21 415 555 2671", "415 555 2671"),
    ],
)
def test_what_follows_a_telephone_number_is_no_part_of_it(text: str, number: str) -> None:
    assert found(PhoneDetector(), text) == [number]


DETECTORS = (EmailDetector(), CardDetector(), KeyDetector(), PhoneDetector())
NEAR_MISSES = (
    *(
        "a",
        "@",
        "a@",
        "a@a.",
        "a@b-",
        ".",
        "@a.",
        "%40",
        "1",
        "4111 ",
        "4 ",
        "4-",
        "41111111111111 ",
    ),
    *("0", "01 ", "020 ", "(", "(4", "+", "+1 ", "+1", "%2B", "sk-", "ghp_", "eyJ", "eyJaaaaaaaa."),
    *(
        "AKIA",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "://",
        "://a:",
        "password=",
        "password",
    ),
    *(
        '"password":"',
        "authorization: ",
        "bearer ",
        "cookie: ",
        "cookie: a=",
        "xox",
        "A",
        "_",
        "\\",
    ),
    *("é", "415-555-", "415 555 ", "-----END ", "xn--", "@[", "[redacted:email]"),
)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.kind)
@pytest.mark.parametrize("piece", NEAR_MISSES)
def test_a_long_near_miss_takes_linear_time(detector: Detector, piece: str) -> None:
    text = (piece * 200_000)[:200_000].encode()
    started = process_time()

    sum(1 for _ in detector.find(text))

    # Linear work is well under a second, quadratic work is minutes.
    assert process_time() - started < 5


def test_random_text_of_the_alphabets_of_keys_holds_few_of_them() -> None:
    random.seed(5)
    alphabet = string.ascii_letters + string.digits + "-_."
    text = "".join(random.choices(alphabet, k=200_000))

    assert all(len(found(detector, text)) < 5 for detector in DETECTORS)
