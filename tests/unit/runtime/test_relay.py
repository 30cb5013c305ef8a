"""Who sent a message: AWS's word, or that of ingest's own role; never the sender's own."""

from typing import Any

import pytest

from reflexarc.runtime.sqs_batch import deliveries

RELAY = "AROAINGESTROLE00000AB"


def sender_of(
    sender_id: str, attribute: str | None = None, *, relay: str = RELAY, **more: Any
) -> str:
    record: dict[str, Any] = {
        "messageId": "1",
        "body": "{}",
        "attributes": {"SenderId": sender_id, "SentTimestamp": "0"},
        **more,
    }
    if attribute is not None:
        record["messageAttributes"] = {
            "sender": {"stringValue": attribute, "dataType": "String", "binaryListValues": []}
        }
    (delivery,) = deliveries({"Records": [record]}, relay)
    return delivery.sender


@pytest.mark.parametrize(
    ("attribute", "sender"),
    [
        ("iam:AROAFLEET:i-0aaa", "AROAFLEET:i-0aaa"),
        ("iam:AIDAUSER", "AIDAUSER"),
        ("token:node-7", "token:node-7"),
    ],
)
def test_ingest_says_who_sent_what_it_handed_on(attribute: str, sender: str) -> None:
    assert sender_of(f"{RELAY}:reflexarc-ingest", attribute) == sender


@pytest.mark.parametrize(
    "sender_id",
    [
        "AROAFLEET:i-0aaa",
        f"AROAFLEET:{RELAY}",
        f"{RELAY}X:reflexarc-ingest",
        f" {RELAY}:reflexarc-ingest",
        "",
    ],
)
def test_a_forged_attribute_changes_nothing(sender_id: str) -> None:
    assert sender_of(sender_id, "token:node-7") == sender_id


def test_without_a_known_role_no_attribute_is_believed() -> None:
    assert sender_of(":reflexarc-ingest", "token:node-7", relay="") == ":reflexarc-ingest"


def test_a_message_of_telemetry_rules_is_a_witness_with_the_sender_that_it_names() -> None:
    record = {
        "messageId": "1",
        "body": "{}",
        "attributes": {"SenderId": "AROATELEMETRY:rules", "SentTimestamp": "0"},
        "messageAttributes": {"sender": {"stringValue": "token:node-*", "dataType": "String"}},
    }
    event = {"Records": [record]}

    (seen,) = deliveries(event, RELAY, "AROATELEMETRY")
    (other,) = deliveries(event, RELAY, "AROAOTHER")
    (unknown,) = deliveries(event, RELAY)

    assert (seen.witness, seen.sender) == (True, "token:node-*")
    assert (other.witness, other.sender) == (False, "AROATELEMETRY:rules")
    assert unknown.witness is False


@pytest.mark.parametrize(
    ("sender_id", "relay", "relayed"),
    [
        (f"{RELAY}:reflexarc-ingest", RELAY, True),
        ("AROAFLEET:i-0aaa", RELAY, False),
        (f"AROAFLEET:{RELAY}", RELAY, False),
        (":reflexarc-ingest", "", False),
    ],
)
def test_only_what_ingest_sent_was_looked_at_by_ingest(
    sender_id: str, relay: str, *, relayed: bool
) -> None:
    record = {
        "messageId": "1",
        "body": "{}",
        "attributes": {"SenderId": sender_id, "SentTimestamp": "0"},
    }

    (delivery,) = deliveries({"Records": [record]}, relay)

    assert delivery.relayed is relayed


@pytest.mark.parametrize("attribute", [None, ""])
def test_a_message_of_ingest_without_a_sender_is_its_own(attribute: str | None) -> None:
    assert sender_of(f"{RELAY}:x", attribute) == f"{RELAY}:x"


def test_an_attribute_of_another_type_is_no_sender() -> None:
    binary: dict[str, Any] = {
        "messageAttributes": {"sender": {"binaryValue": "eA==", "dataType": "Binary"}}
    }

    assert sender_of(f"{RELAY}:x", **binary) == f"{RELAY}:x"
