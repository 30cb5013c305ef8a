from pathlib import Path
from typing import Any

import pytest

from reflexarc.agent.settings import AgentSettings
from reflexarc.kernel.errors import Rejected

URLS = {
    "faults_queue_url": "https://sqs.eu-west-1.amazonaws.com/1/reflexarc-gpu-faults",
    "readings_queue_url": "https://sqs.eu-west-1.amazonaws.com/1/reflexarc-gpu-readings",
}


def combine(file: Path | None = None, **given: Any) -> AgentSettings:
    return AgentSettings.combine(file, URLS | given, hostname="host-1")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    return path


def test_node_is_the_host_name_unless_said_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path, "node: from-file")

    assert combine().node == "host-1"
    assert combine(path).node == "from-file"
    assert combine(path, node="from-flag").node == "from-flag"


def test_what_was_not_given_leaves_the_file_in_force(tmp_path: Path) -> None:
    path = written(tmp_path, "sources: [kmsg, 'file:/var/log/a']\nallow_userspace_kmsg: true")

    settings = combine(path, sources=[], allow_userspace_kmsg=None, heartbeat_s=5.0)

    assert settings.sources == ("kmsg", "file:/var/log/a")
    assert settings.allow_userspace_kmsg
    assert settings.heartbeat_s == pytest.approx(5)


def test_empty_file_is_no_settings(tmp_path: Path) -> None:
    assert combine(written(tmp_path, "# nothing")).spool_max_mb == 64


def test_wrong_names_and_values_are_all_named(tmp_path: Path) -> None:
    path = written(tmp_path, "hartbeat_s: 3\nspool_max_mb: 0\nsources: [syslog]")

    with pytest.raises(Rejected) as refused:
        combine(path)

    for name in ("hartbeat_s", "spool_max_mb", "sources.0"):
        assert name in str(refused.value)


@pytest.mark.parametrize("text", ["- a list", "a: [", "\x00"])
def test_file_that_is_no_mapping_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(Rejected, match=r"agent\.yaml"):
        combine(written(tmp_path, text))


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"missing\.yaml"):
        combine(tmp_path / "missing.yaml")


def test_queues_must_be_said_unless_nothing_is_sent() -> None:
    with pytest.raises(Rejected, match="--readings-queue-url not set: take the URLs from"):
        combine(readings_queue_url=None)

    assert combine(readings_queue_url=None, faults_queue_url=None, dry_run=True).dry_run


def test_once_reads_from_the_start_unless_said_otherwise() -> None:
    assert combine().start_at == "resume"
    assert combine(once=True).start_at == "start"
    assert combine(once=True, start="resume").start_at == "resume"


def test_labels_are_a_mapping_in_the_file_and_pairs_as_flags(tmp_path: Path) -> None:
    path = written(tmp_path, "labels: {rack: r1, zone: a}")

    assert combine(path).labels == {"rack": "r1", "zone": "a"}
    assert combine(path, labels=["rack=r12", "note=a=b"]).labels == {"rack": "r12", "note": "a=b"}


def test_label_that_is_no_pair_is_refused_with_the_form_to_write() -> None:
    with pytest.raises(Rejected, match="write a label as name=value, not 'r12'"):
        combine(labels=["r12"])


def test_yaml_off_means_off(tmp_path: Path) -> None:
    assert combine(written(tmp_path, "nvml: off")).nvml == "off"
    assert combine(written(tmp_path, "nvml: auto")).nvml == "auto"


@pytest.mark.parametrize("text", ["dcgm_url: localhost:9400", "job_env: [A]", "labels: {a: 1}"])
def test_sensor_settings_that_cannot_work_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Rejected, match=text.partition(":")[0]):
        combine(written(tmp_path, text))
