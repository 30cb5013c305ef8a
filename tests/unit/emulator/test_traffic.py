"""What the demo's services send gives every rule of the sample something to do."""

import random
import re
from datetime import UTC, datetime

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from reflexarc.emulator.traffic import ADDRESS, ROUNDS, Services, kernel_line
from reflexarc.gpu.parse import parse

NOW = datetime(2026, 11, 24, 3, 12, 7, tzinfo=UTC)
LINE = "[ 2235.252108] NVRM: Xid (PCI:0000:3b:00): 119, pid=1, name=python3, Timeout"


def services(seed: int = 1) -> Services:
    return Services(random.Random(seed), NOW)


def test_each_round_has_a_request_of_each_signal() -> None:
    exports = list(services().exports())

    assert [each.signal for each in exports] == ["traces", "metrics", "logs"] * ROUNDS


def test_the_same_dice_make_the_same_requests_and_others_make_others() -> None:
    assert list(services().exports()) == list(services().exports())
    assert not {each.payload for each in services(1).exports()} & {
        each.payload for each in services(2).exports()
    }


def test_what_nobody_may_see_is_in_what_is_sent() -> None:
    made = services()
    sent = b"".join(each.payload for each in made.exports())

    assert made.secrets == (ADDRESS, made.key)
    assert re.fullmatch(r"sk-proj-[A-Za-z0-9]{40}", made.key)
    assert [text.encode() in sent for text in made.secrets] == [True, True]


def test_a_kernel_line_is_a_map_that_says_whose_it_is() -> None:
    export = kernel_line("node-07", LINE, NOW)

    request = ExportLogsServiceRequest.FromString(export.payload)
    (record,) = request.resource_logs[0].scope_logs[0].log_records
    said = {each.key: each.value for each in record.body.kvlist_value.values}
    assert export.signal == "logs"
    assert said["hostname"].string_value == "node-07"
    assert (said["sec"].int_value, said["usec"].int_value) == (2235, 252108)
    assert parse(said["msg"].string_value).code == 119


def test_a_line_without_the_time_since_boot_is_sent_whole() -> None:
    export = kernel_line("node-07", "NVRM: odd", NOW)

    assert b"NVRM: odd" in export.payload
