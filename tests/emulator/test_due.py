"""What the audit expects is worked out from lines alone."""

import json
from datetime import UTC, datetime, timedelta

from reflexarc.emulator import iam_gaps
from reflexarc.emulator.due import Due
from reflexarc.events.incident import PageRef
from reflexarc.events.page import page_key
from reflexarc.runtime.config import parse
from tests.emulator.story import EACH_ALONE, xid

ALONE = parse(json.dumps(EACH_ALONE)).policy("")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_key_never_changes() -> None:
    # Vendors hold this key for as long as a page is open.
    assert page_key(PageRef(scope="f" * 32, generation=3)) == (
        "ec2f21c133b6bba79bdf26887b7f1e00bdc32322852e73ef5d0840d618f9b232"
    )


def test_a_second_fault_of_one_gpu_is_due_only_where_it_is_news() -> None:
    due = Due(ALONE)

    channels = [
        [page.channel for page in due.wrote("node", xid(code), NOW)] for code in (31, 31, 79, 79)
    ]

    assert channels == [["slack"], [], ["pagerduty"], []]


def test_another_gpu_or_node_is_another_page_where_each_is_told_alone() -> None:
    due = Due(ALONE)
    places = [("a", 0x3B), ("a", 0x5D), ("b", 0x3B)]

    keys = {due.wrote(node, xid(79, gpu), NOW)[0].key for node, gpu in places}

    assert len(keys) == 3


def test_a_second_node_of_a_cluster_joins_the_page_of_the_first() -> None:
    due = Due()
    for node, cluster in (("a", "blue"), ("b", "blue"), ("c", "green")):
        due.labelled(node, {"cluster": cluster})

    pages = {node: due.wrote(node, xid(79), NOW) for node in ("a", "b", "c")}
    late = due.wrote("b", xid(79, gpu=0x5D), NOW + timedelta(minutes=3))

    assert pages["b"] == []
    assert len({page.key for page in (*pages["a"], *pages["c"], *late)}) == 3


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
