from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from reflexarc.agent.packing import BODY_MAX, Mint, minted_at, pack_faults, pack_readings
from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import LINE_MAX, Fault, GpuFaults
from reflexarc.events.gpu_readings import GpuReadings, Heartbeat
from reflexarc.kernel.ids import ulid
from tests.agent.fakes import NOW, XID_79

SOURCE = Source(node="node-7", agent="0.1.0", boot_id="boot-a")


def minting() -> Mint:
    numbers = iter(range(1, 10_000))

    def mint() -> tuple[str, int]:
        number = next(numbers)
        return ulid(NOW, number.to_bytes(10, "big")), number

    return mint


def test_faults_become_one_message_that_the_cloud_reads() -> None:
    faults = [Fault(line=XID_79, observed_at=NOW, count=3, last_at=NOW, kernel_seq=9)]

    [packed] = pack_faults(faults, SOURCE, minting())

    read = GpuFaults.model_validate_json(packed.stamped(NOW))
    assert (read.id, read.seq, read.source) == (packed.id, 1, SOURCE)
    assert read.faults == tuple(faults)
    assert packed.faults == 3


def test_each_attempt_has_its_own_time_and_the_same_id() -> None:
    [packed] = pack_faults([Fault(line="0000-00-00", observed_at=NOW)], SOURCE, minting())

    first = GpuFaults.model_validate_json(packed.stamped(NOW))
    second = GpuFaults.model_validate_json(packed.stamped(NOW + timedelta(seconds=9)))

    assert first.id == second.id
    assert second.sent_at - first.sent_at == timedelta(seconds=9)


def test_many_faults_are_cut_below_the_limit_and_none_is_lost() -> None:
    faults = [Fault(line="\u0001" * LINE_MAX, observed_at=NOW) for _ in range(30)]

    packed = pack_faults(faults, SOURCE, minting())

    bodies = [each.stamped(NOW) for each in packed]
    assert len(packed) > 1
    assert max(len(body.encode()) for body in bodies) <= BODY_MAX
    read = [GpuFaults.model_validate_json(body) for body in bodies]
    assert sum(len(each.faults) for each in read) == 30
    assert [each.seq for each in read] == list(range(1, len(read) + 1))


@given(st.text(min_size=1, max_size=50), st.text(min_size=1, max_size=50))
def test_hostile_text_arrives_as_it_was_in_characters_that_sqs_takes(line: str, node: str) -> None:
    source = SOURCE.model_copy(update={"node": node})

    [packed] = pack_faults([Fault(line=line, observed_at=NOW)], source, minting())

    body = packed.stamped(NOW)
    read = GpuFaults.model_validate_json(body)
    assert (read.faults[0].line, read.source.node) == (line, node)
    assert body.isascii()
    assert body.isprintable()


def test_heartbeat_is_a_message_that_the_cloud_reads() -> None:
    heartbeat = Heartbeat(started_at=NOW, farewell=True, spool_bytes=7)

    packed = pack_readings(heartbeat, SOURCE, minting())

    read = GpuReadings.model_validate_json(packed.stamped(NOW))
    assert read.heartbeat == heartbeat
    assert packed.faults == 0


def test_id_tells_when_it_was_made() -> None:
    assert minted_at(ulid(NOW, b"0123456789")) == NOW
