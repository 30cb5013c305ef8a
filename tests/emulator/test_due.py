"""What the audit expects is worked out from lines alone."""

from datetime import UTC, datetime

from reflexarc.emulator import iam_gaps
from reflexarc.emulator.due import Due
from reflexarc.events.incident import Incident, key_of
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops
from tests.emulator.story import xid

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_keys_are_those_that_incidents_have() -> None:
    incident = Incident(
        fingerprint="f" * 32,
        generation=3,
        version=1,
        state="open",
        severity=Severity.CRITICAL,
        entity=Entity(kind="gpu", node="n", device="0000:3b:00"),
        cause="xid/79",
        title="",
        first_at=NOW,
        last_at=NOW,
        opened_at=NOW,
        hops=Hops(observed_at=NOW),
    )

    assert key_of("f" * 32, 3) == incident.key
    # Vendors hold this key for as long as an incident is open: it may never change.
    assert incident.key == "ec2f21c133b6bba79bdf26887b7f1e00bdc32322852e73ef5d0840d618f9b232"


def test_a_second_fault_of_one_gpu_is_due_only_where_it_is_news() -> None:
    due = Due()

    channels = [
        [page.channel for page in due.wrote("node", xid(code), NOW)] for code in (31, 31, 79, 79)
    ]

    assert channels == [["slack"], [], ["pagerduty"], []]


def test_another_gpu_or_node_is_another_incident() -> None:
    due = Due()
    places = [("a", 0x3B), ("a", 0x5D), ("b", 0x3B)]

    keys = {due.wrote(node, xid(79, gpu), NOW)[0].key for node, gpu in places}

    assert len(keys) == 3


def test_noise_makes_nothing_due() -> None:
    assert Due().wrote("node", "NVRM: loading NVIDIA UNIX Open Kernel Module", NOW) == []


def test_batches_are_allowed_where_single_messages_are_and_nowhere_else() -> None:
    policy = {
        "Statement": [
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:queue"},
            {"Effect": "Allow", "Action": ["sqs:ReceiveMessage"], "Resource": "arn:other"},
            {"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "*"},
        ]
    }

    statements = iam_gaps.batches([policy])["Statement"]

    assert [statement["Resource"] for statement in statements] == ["arn:queue"]
