"""Both readers of the agents' queues believe ingest's role, and nobody else, on who sent."""

import copy
import json
from typing import Any

import pytest

from functions.gpu_alert.handler import handler as gpu_alert
from functions.gpu_reading.handler import handler as gpu_reading
from reflexarc.runtime import wiring
from tests.functions.test_handlers import Cloud, cloud, envelope
from tests.support.aws import dynamodb

__all__ = ["cloud"]  # a fixture, as pytest finds it
RELAY = "AROAINGESTROLE00000AB"


def sent(event: dict[str, Any], sender_id: str, attribute: str) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    for record in changed["Records"]:
        record["attributes"]["SenderId"] = sender_id
        record["messageAttributes"] = {"sender": {"dataType": "String", "stringValue": attribute}}
    return changed


def holder(node: str) -> str:
    (row,) = (
        item
        for table in dynamodb().list_tables()["TableNames"]
        for item in dynamodb().scan(TableName=table)["Items"]
        if item["pk"]["S"] == f"NODE#{node}" and item["sk"]["S"] == "BIND"
    )
    return row["sender"]["S"]


@pytest.fixture
def trusting(cloud: Cloud) -> Cloud:
    cloud.patch.setenv("INGEST_ROLE_ID", RELAY)
    wiring.believed.cache_clear()
    return cloud


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("name", ["gpu_alert-one-fault", "gpu_reading-one-minute"])
@pytest.mark.parametrize(
    ("sender_id", "bound"),
    [
        (f"{RELAY}:reflexarc-ingest", "token:gpu-*"),
        ("AROAFLEET:i-0aaa", "AROAFLEET:i-0aaa"),
    ],
)
def test_a_node_is_bound_to_whom_a_trusted_word_names(
    name: str, sender_id: str, bound: str
) -> None:
    event = sent(envelope(name), sender_id, "token:gpu-*")
    handler = gpu_alert if name.startswith("gpu_alert") else gpu_reading

    handler(event, None)

    node = json.loads(event["Records"][0]["body"])["source"]["node"]
    assert holder(node) == bound


@pytest.mark.usefixtures("trusting")
def test_a_forged_attribute_opens_no_incident_of_anothers_node(trusting: Cloud) -> None:
    event = envelope("gpu_alert-one-fault")
    gpu_alert(sent(event, f"{RELAY}:reflexarc-ingest", "token:gpu-node-7"), None)
    (before,) = trusting.incidents().recent(10)
    forged = json.loads(json.dumps(event).replace("Xid (PCI:0000:3b:00)", "Xid (PCI:0000:5d:00)"))
    body = json.loads(forged["Records"][0]["body"])
    body["id"] = "01KJMMA2G0000000000000000Z"
    forged["Records"][0]["body"] = json.dumps(body)

    gpu_alert(sent(forged, "AROAFLEET:i-0aaa", "token:gpu-node-7"), None)

    assert trusting.incidents().recent(10) == [before]
    assert "claims node" in trusting.waiting("REJECTED_QUEUE_URL")[0]["reason"]
