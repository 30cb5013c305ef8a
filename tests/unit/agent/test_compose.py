import os
from pathlib import Path
from typing import Any

import pytest

from reflexarc.adapters.kmsg.device import KernelLog, Overwritten
from reflexarc.agent import compose as compose_module
from reflexarc.agent.compose import compose
from reflexarc.agent.log import AgentLog
from reflexarc.agent.service import Agent, Unreadable
from reflexarc.agent.settings import AgentSettings
from reflexarc.agent.spool import Spool
from reflexarc.kernel.errors import Rejected
from tests.agent.fakes import Events

FAULTS = "https://sqs.eu-west-1.amazonaws.com/1/reflexarc-gpu-faults"
READINGS = "https://sqs.eu-west-1.amazonaws.com/1/reflexarc-gpu-readings"


def composed(folder: Path, written: list[str] | None = None, **facts: Any) -> Agent:
    values: dict[str, Any] = {
        "node": "node-7",
        "faults_queue_url": FAULTS,
        "readings_queue_url": READINGS,
        "spool_dir": folder / "spool",
    }
    log = AgentLog(write=(written if written is not None else []).append)
    return compose(AgentSettings(**(values | facts)), emit=Events().emit, log=log)


def client_of(agent: Agent, index: int) -> Any:
    queue: Any = agent.couriers[index].queue
    return queue.client


def test_queues_of_one_region_share_their_connections(tmp_path: Path) -> None:
    agent = composed(tmp_path)

    assert client_of(agent, 0) is client_of(agent, 1)
    agent.spool.close()


def test_queues_of_two_regions_have_a_client_each(tmp_path: Path) -> None:
    other = READINGS.replace("eu-west-1", "us-east-1")

    agent = composed(tmp_path, readings_queue_url=other)

    assert client_of(agent, 1).meta.region_name == "us-east-1"
    agent.spool.close()


def test_several_sources_are_read_by_a_reader_each(tmp_path: Path) -> None:
    agent = composed(tmp_path, sources=("kmsg", f"file:{tmp_path}/a.log", "stdin"))

    names = [reader.source.name for reader in agent.readers]
    assert names == ["kmsg", f"file:{tmp_path}/a.log", "stdin"]
    for reader in agent.readers:
        reader.source.close()
    agent.spool.close()


def test_torn_record_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "faults"
    folder.mkdir(parents=True)
    (folder / "0000000001.seg").write_bytes(b"\xabRX1torn")
    written: list[str] = []

    composed(tmp_path, written).spool.close()

    assert "a torn record at the end of the spool was skipped" in written[0]


def test_source_that_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="Not a directory"):
        composed(tmp_path, sources=("file:/dev/null/kern.log",))


def test_system_without_a_boot_id_has_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose_module, "_BOOT_ID", tmp_path / "missing")

    agent = composed(tmp_path)

    assert agent.intake.source.boot_id == ""
    agent.spool.close()


def test_device_is_read_without_blocking(tmp_path: Path) -> None:
    fifo = tmp_path / "kmsg"
    os.mkfifo(fifo)
    with KernelLog(fifo) as log:
        into = os.open(fifo, os.O_WRONLY)
        assert log.read() is None

        os.write(into, b"3,1,2,-;a\n")
        log.wait(1)

        assert log.read() == b"3,1,2,-;a\n"
        os.close(into)


def test_device_says_when_records_were_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "kmsg"
    os.mkfifo(fifo)

    def raising(code: int) -> None:
        def read(_fd: int, _size: int) -> bytes:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "read", read)

    with KernelLog(fifo) as log:
        raising(32)
        with pytest.raises(Overwritten):
            log.read()
        raising(5)
        with pytest.raises(OSError, match="Input/output"):
            log.read()


def test_device_can_be_left_behind_up_to_now(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    path.write_bytes(b"3,1,2,-;old\n")

    with KernelLog(path) as log:
        log.skip_to_end()

        assert log.read() == b""


def test_thresholds_that_are_wrong_are_named(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="thresholds are wrong: near_margin"):
        composed(tmp_path, thresholds={"near_margin": 3.0})


def test_state_of_the_rules_that_cannot_be_read_is_told_and_rules_begin_anew(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    spool.open()
    spool.put("faults", [], {"boot": "other", "seq": 1, "rules": {"gpus": [1, 2]}})
    spool.close()
    written: list[str] = []

    agent = composed(tmp_path, written)
    agent.spool.close()

    assert "what an earlier agent's rules told cannot be read" in " ".join(written)


def test_source_of_every_message_has_the_labels(tmp_path: Path) -> None:
    agent = composed(tmp_path, labels={"rack": "r12"})
    agent.spool.close()

    assert agent.intake.source.labels == {"rack": "r12"}


def test_once_reads_logs_and_no_sensor(tmp_path: Path) -> None:
    agent = composed(tmp_path, once=True, sources=("stdin",))
    agent.spool.close()

    assert agent.watcher is None


def test_agent_goes_on_without_a_source_while_a_gpu_is_seen(tmp_path: Path) -> None:
    agent = composed(tmp_path, sources=("stdin",))
    agent.spool.close()
    assert agent.watcher is not None
    [reader] = agent.readers

    unknown = reader.others()
    for sensor in agent.watcher.sensors:
        sensor.look()
    alone = reader.others()
    agent.watcher.sees_gpus = True

    assert (unknown, alone, reader.others()) == (None, False, True)
