"""What the agent costs a node, and how soon it speaks: real processes over the NVML stub.

idle: eight GPUs looked at once a second by every sensor, rules and readings on; the peer is
nvitop's API asked for the same eight GPUs once a second, which judges and sends nothing. The stub
has no answer for its power limit and ECC totals; that makes the peer look cheaper, not us.

storm: 800,000 lines of Xid 95, 29 distinct, written within a minute; the peer is the forwarder that
sends each fault line as a message of its own, ten a request: what it would send is reckoned.

latency: a line appended to the log until SQS's stand-in has the request that carries it; the peer
is a program that looks at the log once a second (DCGM polls kmsg each 5 ms, NVSentinel each 15 s).
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import psutil

from reflexarc.emulator.nvml_stub import H100, VARIABLE, NvmlScenario, build
from tests.agent.process import AgentProcess, wait_until
from tests.agent.standin import SqsStandIn
from tests.benchmarks.rows import Row

BENCH = "agent"
GPUS = 8
SETTLE_S = 12.0
WATCH_S = 40.0
LINES = 800_000
DISTINCT = 29
STORM_S = 60.0
BATCHES = 600
TRIALS = 200
# One message a line: the body, SQS's own fields, and the JSON around them.
PEER_ENVELOPE = 250
_LINE = "NVRM: Xid (PCI:0000:{bus:02x}:00): 95, pid={pid}, name=python3, Uncontained: {n:06x}"
_NVITOP = """
import time
from nvitop import Device
devices = Device.all()
while True:
    began = time.monotonic()
    for device in devices:
        device.temperature(); device.power_usage(); device.power_limit(); device.memory_info()
        device.utilization_rates(); device.clock_infos(); device.processes()
        device.total_volatile_uncorrected_ecc_errors()
    time.sleep(max(0.0, began + 1 - time.monotonic()))
"""
_POLLER = """
import sys, time
path, out = sys.argv[1:]
with open(path) as log, open(out, 'a', buffering=1) as found:
    log.seek(0, 2)
    while True:
        for line in log:
            if 'Xid' in line:
                found.write(f'{line.split()[-1]} {time.time()}\\n')
        time.sleep(1)
"""


def run() -> Iterator[Row]:
    """Yield idle cost, a storm, and latency, each beside its peer."""
    with tempfile.TemporaryDirectory(prefix="reflexarc-bench-") as scratch:
        folder = Path(scratch)
        yield from _idle(folder / "idle")
        yield from _storm(folder / "storm")
        yield from _latency(folder / "latency")


def _idle(folder: Path) -> Iterator[Row]:
    folder.mkdir()
    stub = _stub(folder)
    with SqsStandIn().running() as sqs:
        agent = _started(sqs, folder, ("--heartbeat-s", "10"), stub)
        assert agent.process is not None
        peer = subprocess.Popen(  # noqa: S603 - our own text
            [sys.executable, "-c", _NVITOP],
            env={"PATH": "/usr/bin:/bin", **stub},
            stderr=subprocess.DEVNULL,
        )
        try:
            ours, theirs = _watch([agent.process.pid, peer.pid])
            beats = sqs.heartbeats()
        finally:
            peer.kill()
            peer.wait()
            agent.clean_up()
    seen = {len(beat.gpus) for beat in beats[1:]}
    if seen != {GPUS}:
        raise SystemExit(f"the agent's readings tell of {seen} GPUs, not of {GPUS}")
    name = "nvitop's API, the same GPUs once a second; no rules, no sending"
    yield Row(BENCH, "idle_rss", "MiB", round(ours.rss, 1), round(theirs.rss, 1), name)
    yield Row(BENCH, "idle_cpu", "% core", round(ours.cpu, 2), round(theirs.cpu, 2), name)


def _storm(folder: Path) -> Iterator[Row]:
    folder.mkdir()
    lines = [_LINE.format(bus=0x10 + n, pid=4_000 + n, n=n) for n in range(DISTINCT)]
    with SqsStandIn().running() as sqs:
        agent = _started(sqs, folder, ("--no-nvml", "--heartbeat-s", "5"), {})
        assert agent.process is not None
        process = psutil.Process(agent.process.pid)
        peak, done = [0], threading.Event()
        watcher = threading.Thread(target=_peak, args=(process, peak, done))
        watcher.start()
        cpu = sum(process.cpu_times()[:2])
        _write_evenly(agent.log, lines)
        settled = wait_until(lambda: sum(sqs.counts().values()) >= LINES, 90)
        cpu = sum(process.cpu_times()[:2]) - cpu
        done.set()
        watcher.join()
        agent.stop()
        counts, bodies = sqs.counts(), list(sqs.bodies["gpu-faults"])
    exact = settled and sum(counts.values()) == LINES and len(counts) == DISTINCT
    if not exact:
        raise SystemExit(f"counts are wrong: {sum(counts.values())} of {LINES} lines")
    sent = sum(len(body) for body in bodies)
    naive = sum(len(lines[n % DISTINCT]) + PEER_ENVELOPE for n in range(LINES))
    name = "a message a line, ten a request: reckoned"
    yield Row(BENCH, "storm_lines_counted", "lines", sum(counts.values()))
    yield Row(BENCH, "storm_peak_rss", "MiB", round(peak[0] / 2**20, 1))
    yield Row(BENCH, "storm_cpu", "s", round(cpu, 2))
    yield Row(BENCH, "storm_sent", "bytes", sent, naive, name)
    yield Row(BENCH, "storm_messages", "messages", len(bodies), LINES, name)


def _latency(folder: Path) -> Iterator[Row]:
    folder.mkdir()
    found = folder / "found.txt"
    found.touch()
    with SqsStandIn().running() as sqs:
        agent = _started(sqs, folder, ("--no-nvml",), {})
        peer = subprocess.Popen(  # noqa: S603 - our own text
            [sys.executable, "-c", _POLLER, agent.log, found]
        )
        try:
            ours, appended = _appended(agent, sqs)
            wait_until(lambda: len(found.read_text().splitlines()) >= TRIALS)
        finally:
            peer.kill()
            peer.wait()
            agent.clean_up()
    told = dict(line.split() for line in found.read_text().splitlines())
    theirs = [(float(told[key]) - at) * 1_000 for key, at in appended.items() if key in told]
    name = "a look at the log once a second"
    for metric, place in (("line_to_queue_p50", 50), ("line_to_queue_p95", 95)):
        mine, other = (quantiles(each, n=100)[place - 1] for each in (ours, theirs))
        yield Row(BENCH, metric, "ms", round(mine, 2), round(other, 1), name)


class _Usage:
    """What a process used while it was watched."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._cpu = sum(self._process.cpu_times()[:2])
        self._began = time.monotonic()
        self.rss = 0.0
        self.cpu = 0.0

    def end(self) -> "_Usage":
        """Take the figures."""
        used = sum(self._process.cpu_times()[:2]) - self._cpu
        self.cpu = used / (time.monotonic() - self._began) * 100
        self.rss = self._process.memory_info().rss / 2**20
        return self


def _watch(pids: list[int]) -> list[_Usage]:
    time.sleep(SETTLE_S)
    usages = [_Usage(pid) for pid in pids]
    time.sleep(WATCH_S)
    return [usage.end() for usage in usages]


def _started(
    sqs: SqsStandIn, folder: Path, extra: tuple[str, ...], env: dict[str, str]
) -> AgentProcess:
    agent = AgentProcess(sqs, folder, extra=extra, env=env)
    agent.log.touch()
    return agent.start()


def _stub(folder: Path) -> dict[str, str]:
    """Return the environment in which a process finds eight calm GPUs."""
    library = build(folder, Path("samples", "nvml-stub"))
    scenario = NvmlScenario(folder / "scenario.txt")
    for number in range(GPUS):
        scenario.gpu(f"00000000:{0x18 + number:02X}:00.0", f"GPU-{number:012d}", values=H100)
    scenario.write()
    return {"LD_LIBRARY_PATH": str(library.parent), VARIABLE: str(scenario.path)}


def _write_evenly(log: Path, lines: list[str]) -> None:
    """Write all lines within the minute, in even steps."""
    began = time.monotonic()
    with log.open("a") as out:
        for batch in range(BATCHES):
            first, last = (LINES * n // BATCHES for n in (batch, batch + 1))
            out.write("".join(f"{lines[n % DISTINCT]}\n" for n in range(first, last)))
            out.flush()
            time.sleep(max(0.0, began + (batch + 1) * STORM_S / BATCHES - time.monotonic()))


def _peak(process: psutil.Process, peak: list[int], done: threading.Event) -> None:
    while not done.wait(0.2):
        peak[0] = max(peak[0], process.memory_info().rss)


def _appended(agent: AgentProcess, sqs: SqsStandIn) -> tuple[list[float], dict[str, float]]:
    """Append distinct faults, one after the other; return milliseconds, and when each was."""
    took: list[float] = []
    appended: dict[str, float] = {}
    for number in range(TRIALS):
        before = len(sqs.bodies["gpu-faults"])
        key = f"trial-{number:04d}"
        text = f"NVRM: Xid (PCI:0000:3b:00): 31, pid={10_000 + number}, name=python3, {key}\n"
        appended[key] = time.time()
        began = time.perf_counter()
        with agent.log.open("ab", buffering=0) as log:
            log.write(text.encode())
        while len(sqs.bodies["gpu-faults"]) == before:
            time.sleep(0.0002)
        took.append((time.perf_counter() - began) * 1_000)
        time.sleep(0.02 + (number % 7) * 0.005)
    return took, appended
