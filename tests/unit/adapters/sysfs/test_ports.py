from pathlib import Path

import pytest

from reflexarc.adapters.sysfs.ports import PortSensor
from reflexarc.kernel.errors import Rejected, Unavailable


def port(sys_dir: Path, name: str, **files: str) -> Path:
    device, number = name.split("/")
    folder = sys_dir / "class" / "infiniband" / device / "ports" / number
    for path, text in files.items():
        at = folder / path.replace("__", "/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text + "\n")
    return folder


def active(sys_dir: Path, name: str, **more: str) -> Path:
    facts = {"state": "4: ACTIVE", "phys_state": "5: LinkUp", "link_layer": "InfiniBand", **more}
    return port(sys_dir, name, **facts)


def test_a_port_tells_state_link_rate_and_errors(tmp_path: Path) -> None:
    active(
        tmp_path,
        "mlx5_0/1",
        rate="400 Gb/sec (4X NDR)",
        counters__link_downed="2",
        counters__symbol_error="17",
        counters__port_xmit_data="99999999",
        counters__port_rcv_errors="N/A (no PMA)",
        hw_counters__packet_seq_err="3",
    )
    sensor = PortSensor(tmp_path)

    (seen,) = sensor.read().ports

    assert (seen.name, seen.state, seen.link) == ("mlx5_0/1", "ACTIVE", "InfiniBand")
    assert seen.rate == "400 Gb/sec (4X NDR)"
    assert seen.counters == {"link_downed": 2, "symbol_error": 17, "packet_seq_err": 3}
    assert sensor.remarks() == ()


def test_a_port_that_is_down_is_remarked_with_its_physical_state(tmp_path: Path) -> None:
    active(tmp_path, "mlx5_0/1")
    active(tmp_path, "mlx5_1/1", state="1: DOWN", phys_state="2: Polling")
    sensor = PortSensor(tmp_path)

    states = [port.state for port in sensor.read().ports]

    assert states == ["ACTIVE", "DOWN"]
    assert sensor.remarks() == ("mlx5_1/1 is DOWN, physically Polling",)


def test_an_efa_device_is_known_by_its_driver_or_its_name(tmp_path: Path) -> None:
    driver = tmp_path / "bus" / "pci" / "drivers" / "efa"
    driver.mkdir(parents=True)
    renamed = active(tmp_path, "fabric0/1", link_layer="Unspecified", hw_counters__rx_drops="4")
    (renamed.parents[1] / "device").mkdir()
    (renamed.parents[1] / "device" / "driver").symlink_to(driver)
    active(tmp_path, "rdmap16s27/1", link_layer="Unspecified")

    seen = PortSensor(tmp_path).read().ports

    assert [each.link for each in seen] == ["EFA", "EFA"]
    assert seen[0].counters == {"rx_drops": 4}


def test_counters_are_asked_for_rarely_and_the_state_each_time(tmp_path: Path) -> None:
    now = [0.0]
    folder = active(tmp_path, "mlx5_0/1", counters__link_downed="1")
    sensor = PortSensor(tmp_path, monotonic=lambda: now[0])
    sensor.read()
    (folder / "state").write_text("1: DOWN\n")
    (folder / "counters" / "link_downed").write_text("2\n")

    now[0] = 2.0
    soon = sensor.read().ports[0]
    now[0] = 20.0
    late = sensor.read().ports[0]

    assert (soon.state, soon.counters["link_downed"]) == ("DOWN", 1)
    assert late.counters["link_downed"] == 2


def test_a_node_without_ports_says_so(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="no InfiniBand, RoCE or EFA device here"):
        PortSensor(tmp_path).read()


def test_a_port_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    active(tmp_path, "mlx5_0/1")
    port(tmp_path, "mlx5_1/1", rate="x")
    sensor = PortSensor(tmp_path)

    seen = sensor.read().ports

    assert [each.name for each in seen] == ["mlx5_0/1"]
    assert sensor.remarks() == ("the state of mlx5_1/1 cannot be read",)


def test_ports_that_all_cannot_be_read_are_a_failure(tmp_path: Path) -> None:
    port(tmp_path, "mlx5_1/1", rate="x")

    with pytest.raises(Unavailable, match="let the agent read /sys"):
        PortSensor(tmp_path).read()


def test_more_ports_than_a_node_has_are_left_out_with_a_remark(tmp_path: Path) -> None:
    for number in range(70):
        active(tmp_path, f"mlx5_{number}/1")
    sensor = PortSensor(tmp_path)

    assert len(sensor.read().ports) == 64
    assert sensor.remarks() == ("only 64 of 70 ports are read",)
