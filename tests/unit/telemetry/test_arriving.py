import base64
import json
from typing import Any

import pytest

from reflexarc.events.delivery import Delivery
from reflexarc.events.forward import Forward
from reflexarc.kernel.errors import Rejected
from reflexarc.kernel.ids import ulid
from reflexarc.telemetry.arriving import Arrival, Place, inline, read
from tests.support.otlp import NOW

BUCKET = "reflexarc-telemetry-1"
ID = ulid(NOW, b"0123456789")


def delivery(document: object) -> Delivery:
    text = document if isinstance(document, str) else json.dumps(document)
    return Delivery(message_id="m-1", body=text, sender="token:fleet-*", queued_at=NOW)


def batch(**changed: Any) -> dict[str, Any]:
    return {
        "schema": "otlp/1",
        "id": ID,
        "sent_at": NOW.isoformat(),
        "source": {"node": "gateway-1"},
        "signal": "traces",
        "encoding": "gzip",
        "received_at": NOW.isoformat(),
        "payload": base64.b64encode(b"packed").decode(),
        **changed,
    }


def pointer(key: str = "inbox/2026/x.pb.zst", bucket: str = BUCKET) -> dict[str, Any]:
    return {"bucket": bucket, "key": key, "size": 7, "sha256": "a" * 64}


def told_by_s3(
    key: str = "inbox-direct/year%3D2026/traces_x1.binpb", **changed: Any
) -> dict[str, Any]:
    return {
        "eventTime": "2026-11-24T03:12:07.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AROAFORWARDER:collector"},
        "s3": {
            "bucket": {"name": BUCKET},
            "object": {"key": key, "size": 42, "eTag": "e", "sequencer": "0055"},
        },
        **changed,
    }


def arrivals(document: object) -> tuple[Arrival, ...]:
    message = read(delivery(document), BUCKET)
    assert not isinstance(message, Forward)
    return message


def test_a_batch_inside_a_message_keeps_its_bytes() -> None:
    (arrival,) = arrivals(batch())

    assert arrival == Arrival(
        id=ID,
        signal="traces",
        received_at=NOW,
        source="gateway-1",
        sender="token:fleet-*",
        encoding="gzip",
        body=b"packed",
    )


@pytest.mark.parametrize("key", ["inbox/a", "dead/backend/a", "forward/a"])
def test_a_pointer_into_our_own_places_is_followed(key: str) -> None:
    (arrival,) = arrivals(batch(payload=None, pointer=pointer(key)))

    assert arrival.place == Place(key=key, size=7, sha256="a" * 64)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (pointer(bucket="somebody-elses"), "out of our bucket"),
        (pointer("archive/traces/x"), "where no batch is handed in"),
        (pointer("inbox-direct/x"), "where no batch is handed in"),
        (pointer("/inbox/x"), "where no batch is handed in"),
    ],
)
def test_a_pointer_to_anywhere_else_is_refused(found: dict[str, Any], why: str) -> None:
    with pytest.raises(Rejected, match=why):
        read(delivery(batch(payload=None, pointer=found)), BUCKET)


def forward(**changed: Any) -> dict[str, Any]:
    given = batch(schema="forward/1", backend="honeycomb", items=3, size=6)
    return {**given, "first_at": NOW.isoformat(), **changed}


def test_a_part_that_was_put_back_is_read_as_what_it_is() -> None:
    message = read(delivery(forward()), BUCKET)

    assert isinstance(message, Forward)
    assert (message.backend, message.items, inline(message.payload)) == ("honeycomb", 3, b"packed")


def test_a_part_that_points_where_only_senders_write_is_refused() -> None:
    with pytest.raises(Rejected, match="where no batch is handed in"):
        read(delivery(forward(payload=None, pointer=pointer("inbox/x"))), BUCKET)


def test_an_object_that_a_forwarder_wrote_is_a_batch_whose_form_is_not_known_yet() -> None:
    (arrival,) = arrivals({"Records": [told_by_s3()]})

    assert arrival.place == Place(key="inbox-direct/year=2026/traces_x1.binpb", size=42)
    assert (arrival.signal, arrival.direct, arrival.received_at) == ("traces", True, NOW)
    assert arrival.sender == "s3:AWS:AROAFORWARDER:collector"


def test_one_write_that_s3_tells_twice_is_one_batch_and_the_next_write_another() -> None:
    first, same = arrivals({"Records": [told_by_s3(), told_by_s3()]})
    again = told_by_s3()
    again["s3"]["object"]["sequencer"] = "0056"
    (other,) = arrivals({"Records": [again]})

    assert first.id == same.id != other.id


@pytest.mark.parametrize(
    ("key", "signal"),
    [
        ("inbox-direct/year=2026/month=11/day=24/hour=03/minute=12/traces_aB3x9.json", "traces"),
        ("inbox-direct/edge/logs-of-eu-metrics_Zx81k2.binpb.gz", "metrics"),
        ("inbox-direct/logs/dt=2026/file.json", "logs"),
        ("inbox-direct/TRACES/any", "traces"),
        ("inbox-direct/metrics/traces_1.json", "traces"),
    ],
)
def test_the_signal_is_what_the_key_says(key: str, signal: str) -> None:
    (arrival,) = arrivals({"Records": [told_by_s3(key)]})

    assert arrival.signal == signal


def test_an_object_without_a_writer_is_still_a_batch() -> None:
    (arrival,) = arrivals({"Records": [told_by_s3(userIdentity={})]})

    assert (arrival.source, arrival.sender) == ("s3", "s3:")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (told_by_s3("inbox-direct/catalogs/x.json"), "names none of traces"),
        (told_by_s3("archive/traces/x"), "not of inbox-direct/"),
        (told_by_s3(s3={}), "makes sense"),
        (told_by_s3(eventTime="2026-11-24T03:12:07"), "no time zone"),
        (told_by_s3(eventTime="yesterday"), "makes sense"),
        (told_by_s3(userIdentity=[]), "makes sense"),
        ("a text", "makes sense"),
    ],
)
def test_a_notification_that_names_no_batch_of_ours_is_refused(record: object, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        read(delivery({"Records": [record]}), BUCKET)


def test_s3s_question_whether_we_listen_is_no_batch() -> None:
    assert arrivals({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}) == ()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "a JSON list"),
        ({"schema": "gpu_faults/1"}, "neither otlp/1, nor forward/1"),
        ({"Records": {}}, "neither otlp/1"),
        (batch(signal="profiles"), "not a message of otlp/1: signal"),
        (batch(pointer=pointer()), "either payload or pointer"),
        (batch(payload="not base64!"), "not base64"),
        (forward(pointer=pointer("forward/x")), "either payload or pointer"),
        (forward(backend="Not A Name"), "not a message of forward/1: backend"),
    ],
)
def test_what_is_no_message_of_ours_is_refused_with_the_reason(body: object, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        read(delivery(body), BUCKET)
