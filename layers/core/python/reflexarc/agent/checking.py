"""What an agent would see, send and need on this node, found out without being one."""

import fcntl
import os
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reflexarc.adapters.kmsg.device import KernelLog, Overwritten
from reflexarc.adapters.kmsg.record import parse_record
from reflexarc.agent.addresses import Addresses
from reflexarc.agent.aggregate import Aggregator, Window
from reflexarc.agent.counters import Counters
from reflexarc.agent.fitting import fitted_owners, fitted_rules, fitted_sensors, limits_of
from reflexarc.agent.log import AgentLog
from reflexarc.agent.reader import Inbox
from reflexarc.agent.sensing import SensorThread
from reflexarc.agent.settings import AgentSettings
from reflexarc.agent.watcher import GPU_SENSORS, Watcher
from reflexarc.events.gpu_readings import SensorReport
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import Rejected

Status = Literal["ok", "note", "warn", "bad"]
# A first look at eight GPUs takes NVML some seconds where no persistence daemon runs.
_LOOK_SECONDS = 6.0
_ONE_TICK_MORE = 1.2
_KMSG = Path("/dev/kmsg")
_CONTAINER_SIGNS = (Path("/.dockerenv"), Path("/run/.containerenv"))
# What container runtimes call the cgroup of a container's first process.
_CONTAINER_WORDS = ("kubepods", "docker", "containerd", "libpod", "lxc")
_FREE_MIB = 256
_AS_ROOT = "run as root, or grant CAP_SYSLOG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that was looked at, how it is, and what to do about it."""

    part: str
    name: str
    status: Status
    says: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the sensors saw in some seconds."""

    reports: tuple[SensorReport, ...]
    window: Window


def node_items() -> Iterator[Item]:
    """Say what kind of machine this is."""
    where = "in a container" if _in_container() else "on the host"
    yield Item(
        part="see",
        name="node",
        status="ok",
        says=f"{platform.node()}, Linux {platform.release()}, {where}",
    )


def source_items(settings: AgentSettings, kmsg: Path = _KMSG) -> Iterator[Item]:
    """Say of each log whether it can be read, and since when it reaches."""
    for source in settings.sources:
        if source == "kmsg":
            yield _kernel_log(kmsg)
        elif source == "stdin":
            yield Item(part="see", name="stdin", status="note", says="is read when the agent runs")
        else:
            yield _file(Path(source.removeprefix("file:")))


def look(settings: AgentSettings, log: AgentLog, seconds: float = _LOOK_SECONDS) -> Seen:
    """Let every sensor look a moment; one that hangs is reported as hanging."""
    addresses = Addresses()
    threads = [
        SensorThread(sensor=each, log=log) for each in fitted_sensors(settings, addresses.of)
    ]
    aggregator = Aggregator(started_at=system_clock(), seconds=time.monotonic())
    watcher = Watcher(
        sensors=threads,
        rules=fitted_rules(limits_of(settings), {}, log),
        aggregator=aggregator,
        inbox=Inbox(maxsize=64),
        counters=Counters(),
        clock=system_clock,
        log=log,
        owners=fitted_owners(settings, log),
        addresses=addresses,
    )
    stopping = threading.Event()
    watcher.start(stopping)
    deadline = time.monotonic() + seconds
    while not _all_looked(threads) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(_ONE_TICK_MORE)
    reports = watcher.reports()
    stopping.set()
    window = aggregator.swap(time.monotonic())
    watcher.join(1.0)
    return Seen(reports=reports, window=window)


def sensor_items(seen: Seen) -> Iterator[Item]:
    """Say of each sensor how it fares, and what it showed."""
    told = set()
    for report in seen.reports:
        # Two sensors that lack one library lack one thing.
        if (report.status, report.says) not in told or report.status == "ok":
            yield _sensor(report)
        told.add((report.status, report.says))
    for gpu in seen.window.gpus:
        temperature = gpu.gauges.get("temperature_c")
        margin = gpu.gauges.get("margin_c")
        facts = [
            gpu.name or "unnamed",
            f"{temperature.last:.0f} C" if temperature else "",
            f"{margin.last:.0f} C below its limit" if margin else "",
            f"job {gpu.job.id or gpu.job.name} of {gpu.job.owner or 'somebody'}" if gpu.job else "",
        ]
        index = "" if gpu.index is None else f" {gpu.index}"
        yield Item(
            part="see",
            name=f"GPU{index}",
            status="bad" if gpu.health == "lost" else "ok",
            says=", ".join([gpu.device, *filter(None, facts)]),
        )
    for port in seen.window.ports:
        up = port.state == "ACTIVE"
        yield Item(
            part="see",
            name=f"port {port.name}",
            status="ok" if up else "note",
            says=" ".join(filter(None, (port.state, port.link, port.rate))),
        )


def usable(settings: AgentSettings, items: Sequence[Item], seen: Seen) -> Item | None:
    """Return what is wrong when neither a log nor a GPU can be read: nothing is left to send."""
    names = {source.removeprefix("file:") for source in settings.sources} | {"kernel log", "stdin"}
    if any(item.name in names and item.status in ("ok", "note") for item in items):
        return None
    if any(each.name in GPU_SENSORS and each.status == "ok" for each in seen.reports):
        return None
    return Item(
        part="see",
        name="anything",
        status="bad",
        says="neither a log nor a GPU can be read here",
        advice=_AS_ROOT,
    )


def spool_items(settings: AgentSettings) -> Iterator[Item]:
    """Say whether the spool can be kept, without touching that of a running agent."""
    folder = settings.spool_dir
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free >> 20
    except OSError as error:
        yield Item(
            part="keep",
            name="spool",
            status="warn",
            says=f"{folder} cannot be written: {error.strerror}",
            advice="make it writable or name another with --spool-dir; without it, a restart in an"
            " outage loses what waits",
        )
        return
    made = "" if existing == folder else " (made at the first start)"
    little = free < max(_FREE_MIB, settings.spool_max_mb)
    yield Item(
        part="keep",
        name="spool",
        status="warn" if little else "ok",
        says=f"{folder}{made}, {free} MiB free, at most {settings.spool_max_mb} MiB used",
        advice="free some space" if little else "",
    )
    if _locked(folder):
        yield Item(part="keep", name="agent", status="note", says="an agent runs with this spool")


def settings_items(settings: AgentSettings) -> Iterator[Item]:
    """Show what differs from the defaults."""
    fields = type(settings).model_fields
    for name in sorted(settings.model_fields_set - {"dry_run", "node"}):
        value = getattr(settings, name)
        if value != fields[name].get_default(call_default_factory=True):
            yield Item(part="settings", name=name, status="ok", says=_shown(value))


def guarded(part: str, name: str, looked: Callable[[], Iterator[Item]]) -> list[Item]:
    """Return the items; where looking itself fails, say that instead of failing."""
    try:
        return list(looked())
    except (OSError, Rejected) as error:
        return [Item(part=part, name=name, status="bad", says=str(error))]


def exit_code(items: Sequence[Item]) -> int:
    """Return 2 where it could not run, 1 where something is missing, else 0."""
    statuses = {item.status for item in items}
    return 2 if "bad" in statuses else 1 if "warn" in statuses else 0


def _kernel_log(path: Path) -> Item:
    try:
        with KernelLog(path) as log:
            oldest = _first_record(log)
    except OSError as error:
        advice = _AS_ROOT if error.errno in (1, 13) else "mount the host's /dev/kmsg"
        says = f"{path} cannot be read: {error.strerror}"
        return Item(part="see", name="kernel log", status="warn", says=says, advice=advice)
    since = "" if oldest is None else f", back to {_ago(time.monotonic() - oldest)} ago"
    return Item(part="see", name="kernel log", status="ok", says=f"{path} can be read{since}")


def _first_record(log: KernelLog) -> float | None:
    """Return when the oldest record was written, in seconds of the kernel's clock."""
    for _ in range(3):
        try:
            raw = log.read()
        except Overwritten:
            continue
        if not raw:
            return None
        try:
            return parse_record(raw).usec / 1e6
        except Rejected:
            return None
    return None


def _file(path: Path) -> Item:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        says = f"cannot be read: {error.strerror}"
        advice = "check the path and its permissions"
        return Item(part="see", name=str(path), status="warn", says=says, advice=advice)
    return Item(part="see", name=str(path), status="ok", says="can be read")


def _sensor(report: SensorReport) -> Item:
    missed = report.name in GPU_SENSORS
    status: Status = "ok"
    if report.status in ("failing", "hung", "off"):
        status = "warn"
    elif report.status == "absent":
        status = "warn" if missed else "note"
    says = report.status if not report.says else f"{report.status}: {report.says}"
    return Item(part="see", name=report.name, status=status, says=says)


def _all_looked(threads: Sequence[SensorThread]) -> bool:
    return all(thread.report().status != "off" for thread in threads)


def _in_container() -> bool:
    if any(sign.exists() for sign in _CONTAINER_SIGNS):
        return True
    try:
        groups = Path("/proc/1/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(word in groups for word in _CONTAINER_WORDS)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _locked(folder: Path) -> bool:
    try:
        with _opened(folder / "lock") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _ago(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(seconds, 0):.0f} seconds"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
