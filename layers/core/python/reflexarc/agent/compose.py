"""Builds an agent from its settings: the one place that knows every part."""

import importlib.metadata
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reflexarc.agent.addresses import Addresses
from reflexarc.agent.aggregate import Aggregator
from reflexarc.agent.attribution import Attribution
from reflexarc.agent.counters import Counters
from reflexarc.agent.courier import Courier, Emit
from reflexarc.agent.fitting import fitted_owners, fitted_rules, fitted_sensors, limits_of
from reflexarc.agent.intake import Intake
from reflexarc.agent.log import AgentLog
from reflexarc.agent.metrics import MetricsFile
from reflexarc.agent.ports import LineSource, Queue, Sensor
from reflexarc.agent.reader import INBOX_MAX, Inbox, Others, Reader
from reflexarc.agent.sensing import SensorThread
from reflexarc.agent.service import Agent, Unreadable
from reflexarc.agent.settings import AgentSettings
from reflexarc.agent.sink import queues_of
from reflexarc.agent.sources.file import FileSource
from reflexarc.agent.sources.kernel import KernelSource
from reflexarc.agent.sources.stdin import StreamSource
from reflexarc.agent.spool import MEBIBYTE, LaneName, Spool
from reflexarc.agent.watcher import GPU_SENSORS, Watcher
from reflexarc.events.envelope import Source
from reflexarc.gpu.watch.witness import Witness
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import ReflexError
from reflexarc.kernel.ids import new_ulid

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class DryQueue:
    """Fills Queue by telling what would be sent."""

    lane: LaneName
    emit: Emit

    def send(self, entries: Sequence[tuple[str, str]]) -> Mapping[str, ReflexError]:
        """Tell each message."""
        for _, body in entries:
            self.emit("would_send", {"lane": self.lane, "message": json.loads(body)})
        return {}


def compose(settings: AgentSettings, *, emit: Emit, log: AgentLog) -> Agent:
    """Return an agent that is ready to run; raises Rejected when it cannot be built."""
    limits = limits_of(settings)  # before anything is opened
    spool = Spool(settings.spool_dir, max_bytes=settings.spool_max_mb * MEBIBYTE)
    if damaged := spool.open():
        log.warning("a torn record at the end of the spool was skipped", bytes=damaged)
    counters = Counters()
    source = source_of(settings)
    inbox = Inbox(maxsize=INBOX_MAX)
    addresses = Addresses()
    owners = fitted_owners(settings, log)
    threads = [SensorThread(sensor=each, log=log) for each in _sensors(settings, addresses)]
    aggregator = Aggregator(started_at=system_clock(), seconds=time.monotonic())
    intake = Intake(
        source=source,
        spool=spool,
        counters=counters,
        clock=system_clock,
        monotonic=time.monotonic,
        mint_id=new_ulid,
        log=log,
        emit=emit,
        allow_userspace=settings.allow_userspace_kmsg,
        attribution=Attribution(owners=owners),
        witness=Witness() if threads else None,
        aggregator=aggregator if threads else None,
        sensors=lambda: tuple(thread.report() for thread in threads),
    )
    intake.restore()
    watcher = Watcher(
        sensors=threads,
        rules=fitted_rules(limits, intake.rules, log),
        aggregator=aggregator,
        inbox=inbox,
        counters=counters,
        clock=system_clock,
        log=log,
        owners=owners,
        addresses=addresses,
    )
    couriers = _couriers(settings, spool, counters, emit, log)
    metrics = _metrics(settings, intake, couriers)
    readers = [
        Reader(source=each, inbox=inbox, log=log, give_up=settings.once)
        for each in _sources(settings, source.boot_id, intake)
    ]
    for reader in readers:
        reader.others = _others(reader, readers, watcher)
    return Agent(
        readers=readers,
        inbox=inbox,
        intake=intake,
        couriers=couriers,
        spool=spool,
        log=log,
        heartbeat_s=settings.heartbeat_s,
        drain_s=settings.drain_s,
        watcher=watcher if threads else None,
        metrics=metrics.write if metrics else None,
    )


def source_of(settings: AgentSettings) -> Source:
    """Return who this agent says it is."""
    return Source(
        node=settings.node, agent=version(), boot_id=_boot_id(), labels=dict(settings.labels)
    )


def _sensors(settings: AgentSettings, addresses: Addresses) -> list[Sensor]:
    # `--once` reads a log to its end: there is no minute to watch.
    return [] if settings.once else fitted_sensors(settings, addresses.of)


def _others(reader: Reader, readers: Sequence[Reader], watcher: Watcher) -> Others:
    """Return what tells whether the agent is of use without this reader."""

    def others() -> bool | None:
        if watcher.sees_gpus or any(each.ever_read for each in readers if each is not reader):
            return True
        looking = [each.report().status for each in watcher.sensors if each.name in GPU_SENSORS]
        return None if "off" in looking else False

    return others


def _metrics(
    settings: AgentSettings, intake: Intake, couriers: Sequence[Courier]
) -> MetricsFile | None:
    if settings.metrics_file is None:
        return None
    return MetricsFile(
        path=settings.metrics_file,
        version=version(),
        counters=intake.counters,
        spool=intake.spool,
        couriers=couriers,
        clock=system_clock,
        monotonic=time.monotonic,
        log=intake.log,
        sensors=intake.sensors,
    )


def _couriers(
    settings: AgentSettings, spool: Spool, counters: Counters, emit: Emit, log: AgentLog
) -> list[Courier]:
    queues = _queues(settings, emit, log)
    parts: dict[str, Any] = {
        "spool": spool,
        "counters": counters,
        "clock": system_clock,
        "chance": random.random,
        "log": log,
        "emit": emit,
    }
    faults = Courier(lane="faults", queue=queues["faults"], **parts)
    return [faults, Courier(lane="readings", queue=queues["readings"], after=faults, **parts)]


def _queues(settings: AgentSettings, emit: Emit, log: AgentLog) -> dict[LaneName, Queue]:
    if settings.dry_run:
        return {"faults": DryQueue("faults", emit), "readings": DryQueue("readings", emit)}
    return queues_of(settings, settings.second, log)


def _sources(settings: AgentSettings, boot_id: str, intake: Intake) -> list[LineSource]:
    try:
        return [_source(each, settings, boot_id, intake) for each in settings.sources]
    except OSError as error:
        raise Unreadable(f"cannot read a source: {error}") from error


def _source(name: str, settings: AgentSettings, boot_id: str, intake: Intake) -> LineSource:
    follow = not settings.once
    start = settings.start_at
    if name == "kmsg":
        return KernelSource(
            boot_id=boot_id,
            clock=system_clock,
            start=start,
            cursor=intake.cursors.get(KernelSource.name),
            follow=follow,
        )
    if name == "stdin":
        return StreamSource(clock=system_clock)
    path = Path(name.removeprefix("file:")).absolute()
    return FileSource(
        path,
        clock=system_clock,
        start=start,
        cursor=intake.cursors.get(f"file:{path}"),
        follow=follow,
    )


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def version() -> str:
    """Return the version of the installed package; empty in a bare checkout."""
    try:
        return importlib.metadata.version("reflexarc")
    except importlib.metadata.PackageNotFoundError:
        return ""
