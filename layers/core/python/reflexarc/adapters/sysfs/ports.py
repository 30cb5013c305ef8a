"""Fills agent.ports.Sensor: state and error counters of InfiniBand, RoCE and EFA ports.

Files: https://www.kernel.org/doc/Documentation/ABI/stable/sysfs-class-infiniband
"""

import time
from collections.abc import Callable
from pathlib import Path

from reflexarc.gpu.watch.model import Observation, PortSample
from reflexarc.kernel.errors import Rejected, Unavailable

SYS = Path("/sys")
# Errors only: bytes and packets explain no fault, and every number costs on the wire.
COUNTERS = (
    *("link_downed", "link_error_recovery", "symbol_error", "port_rcv_errors"),
    *("port_rcv_remote_physical_errors", "port_rcv_constraint_errors", "port_xmit_discards"),
    *("port_xmit_constraint_errors", "local_link_integrity_errors"),
    *("excessive_buffer_overrun_errors", "VL15_dropped"),
)
# mlx5: https://enterprise-support.nvidia.com/s/article/understanding-mlx5-linux-counters-and-status-parameters
# EFA: drivers/infiniband/hw/efa/efa_verbs.c, and
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-EFA.html
HW_COUNTERS = (
    *("out_of_sequence", "packet_seq_err", "local_ack_timeout_err", "rnr_nak_retry_err"),
    *("rx_icrc_encapsulated", "req_transport_retries_exceeded", "roce_slow_restart"),
    *("rx_drops", "rdma_read_wr_err", "rdma_write_wr_err", "retrans_pkts"),
    *("retrans_timeout_events", "impaired_remote_conn_events", "unresponsive_remote_events"),
)
# The state is in the kernel's memory; hardware counters are asked of the adapter's firmware.
COUNTERS_S = 20.0
# Eight adapters with two ports each, and room.
PORTS_MAX = 64
_FILE_MAX = 4_096
_ACTIVE = "ACTIVE"


class PortSensor:
    """Looks at every port of every RDMA device, each two seconds."""

    name = "ports"
    interval_s = 2.0

    def __init__(
        self, sys_dir: Path = SYS, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = sys_dir / "class" / "infiniband"
        self._monotonic = monotonic
        self._counters: dict[str, tuple[float, dict[str, int]]] = {}
        self._remarks: tuple[str, ...] = ()

    def read(self) -> Observation:
        """Look once; raises Rejected where the node has no RDMA device."""
        folders = self._folders()
        samples, remarks = [], []
        for folder in folders[:PORTS_MAX]:
            sample = self._sample(folder)
            if sample is None:
                remarks.append(f"the state of {_name(folder)} cannot be read")
                continue
            samples.append(sample)
            if sample.state != _ACTIVE:
                physical = _word(_text(folder / "phys_state"))
                remarks.append(f"{sample.name} is {sample.state}, physically {physical or '?'}")
        if len(folders) > PORTS_MAX:
            remarks.append(f"only {PORTS_MAX} of {len(folders)} ports are read")
        if not samples:
            raise Unavailable(
                f"no port under {self._root} tells its state: look at one with `ibstat` or"
                " `rdma link`, and let the agent read /sys"
            )
        self._remarks = tuple(remarks)
        self._counters = {s.name: self._counters[s.name] for s in samples}
        return Observation(ports=tuple(samples))

    def remarks(self) -> tuple[str, ...]:
        """Return which ports are not active or not readable."""
        return self._remarks

    def close(self) -> None:
        """Nothing is held open."""

    def _folders(self) -> list[Path]:
        try:
            found = sorted(self._root.glob("*/ports/*"))
        except OSError as error:
            raise Unavailable(
                f"{self._root} cannot be listed ({error.strerror}): let the agent read /sys"
            ) from error
        if not found:
            raise Rejected(
                f"no InfiniBand, RoCE or EFA device here ({self._root} is missing or empty):"
                " where there should be one, load its driver (mlx5_ib, efa); in a container,"
                " mount /sys"
            )
        return found

    def _sample(self, folder: Path) -> PortSample | None:
        state = _word(_text(folder / "state"))
        if not state:
            return None
        name = _name(folder)
        return PortSample(
            name=name,
            state=state,
            link=_link(folder),
            rate=_text(folder / "rate"),
            counters=self._counters_of(name, folder),
        )

    def _counters_of(self, name: str, folder: Path) -> dict[str, int]:
        now = self._monotonic()
        read_at, counters = self._counters.get(name, (float("-inf"), {}))
        if now - read_at < COUNTERS_S:
            return counters
        counters = _numbers(folder / "counters", COUNTERS)
        counters |= _numbers(folder / "hw_counters", HW_COUNTERS)
        self._counters[name] = (now, counters)
        return counters


def _name(folder: Path) -> str:
    return f"{folder.parents[1].name}/{folder.name}"


def _link(folder: Path) -> str:
    """Return InfiniBand, Ethernet or EFA; the kernel calls an EFA's layer unspecified."""
    driver = folder.parents[1] / "device" / "driver"
    try:
        if driver.resolve(strict=True).name == "efa":
            return "EFA"
    except (OSError, RuntimeError):
        pass
    layer = _text(folder / "link_layer")
    if layer == "Unspecified" and folder.parents[1].name.startswith(("efa", "rdmap")):
        return "EFA"
    return layer


def _numbers(folder: Path, names: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for name in names:
        printed = _text(folder / name)
        # Counters that an adapter lacks are missing or "N/A (no PMA)".
        if printed.isascii() and printed.isdigit():
            found[name] = int(printed)
    return found


def _word(printed: str) -> str:
    """Return ACTIVE of '4: ACTIVE'."""
    return printed.rpartition(":")[2].strip()


def _text(path: Path) -> str:
    """Return what a file says, nothing where it cannot be read: a device may go at any time."""
    try:
        with path.open("rb") as file:
            return file.read(_FILE_MAX).decode("utf-8", "replace").strip()[:128]
    except OSError:
        return ""
