"""What the fleet's last state costs: CPU, DynamoDB units, dollars; and an idle fleet's whole day.

CPU is our own process's alone (parsing, deciding, packing, botocore); DynamoDB is a stand-in in
another process that answers OK. Units follow from the sizes of real items. The bill takes list
prices and no free tier. Peers, priced in the same run: one item a GPU and minute, not compressed;
and one CloudWatch metric a gauge.
"""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import mean
from types import SimpleNamespace
from typing import Any

import botocore.session
import yaml
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from infra import catalog
from infra.kinds import FromQueue, Function
from infra.paths import ROOT, TEMPLATE
from reflexarc.adapters.dynamodb import fleet_heard, fleet_rows, rows
from reflexarc.adapters.dynamodb.fleet_silence import FleetPulses
from reflexarc.agent.aggregate import Window
from reflexarc.agent.packing import pack_readings
from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.gpu.readings import NodeState, RunningHour, state_of
from tests.benchmarks import aws_prices as price
from tests.benchmarks.rows import Row
from tests.functions.environment import GPU_READING
from tests.support.readings import DEVICES, NOW, envelope, hour, readings

SHARDS, LISTINGS = fleet_heard.SHARDS, 10
NODES, IDLE_NODES, GPUS = 10_000, 1_000, len(DEVICES)
BATCH = 500
# What a write takes in one region, and how many a function has under way.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
WRITE_MS, WORKERS = 5, 8
LOG_BYTES = 1_200  # START, END and REPORT lines, and one line of metrics
CANARY_MS = 30  # a warm function that finds nothing to do
# What a tick of the watchdog asks DynamoDB, beside the fleet: which groups wait and which steps are
# due, a shard at a time (half a unit where nothing is found), and the configuration; it is read by
# gpu_alert as well when a canary comes.
TICK_SHARDS = rows.NOTICE_SHARDS + rows.DUE_SHARDS
CONFIG_READS = 2
CANARIES = 3
TICK_CALLS = TICK_SHARDS + 1 + CANARIES + fleet_heard.SHARDS
# Eventually consistent reads cost half. A query pays for what it reads, in steps of 4 KB.
HALF_UNIT, READ_UNIT_BYTES = 0.5, 4096
# Once a day a node's sender is asked for anew: the state's row and the binding are read, the
# binding is written, and the update that was tried first is a unit as well.
DAILY_READS, DAILY_WRITES = 2, 2
SENDER = "AROAEXAMPLEROLEID12345:i-0a1b2c3d4e5f60718"
GAUGES = 6  # a CloudWatch metric each: heat, margin, power, use, memory, clock
ITEM_PEER = "one DynamoDB item a GPU and minute, JSON not compressed"
METRIC_PEER = "one CloudWatch metric a gauge, six gauges a GPU"


def run() -> Iterator[Row]:
    """Measure the handler, weigh its items, and price both fleets."""
    cpu_ms = _cpu_ms()
    weight = _weight()
    per_thousand = 1_000
    yield Row("readings", "cpu_per_1000", "ms", round(cpu_ms * per_thousand, 1))
    yield Row("readings", "message_bytes", "bytes", round(weight.message_bytes))
    yield Row("readings", "item_bytes", "bytes", round(weight.state_bytes))
    yield Row(
        bench="readings",
        metric="write_units_per_1000",
        unit="WRU",
        ours=round(weight.write_units * per_thousand, 1),
        peer=round(weight.peer_units * per_thousand, 1),
        peer_name=ITEM_PEER,
    )
    reads = DAILY_READS / price.DAY_MIN * per_thousand
    yield Row("readings", "read_units_per_1000", "RRU", round(reads, 2))
    month = _Bill(nodes=NODES, cpu_ms=cpu_ms, weight=weight)
    peer = NODES * price.DAY_MIN * price.MONTH_DAYS * weight.peer_units * price.WRITE_UNIT
    _say(f"{NODES:,} nodes, dollars a month", month.of_readings(), price.MONTH_DAYS)
    yield Row(
        bench="readings",
        metric=f"month_{NODES}_nodes",
        unit="USD",
        ours=round(sum(month.of_readings().values()) * price.MONTH_DAYS, 2),
        peer=round(peer, 2),
        peer_name=f"{ITEM_PEER}: its writes alone",
    )
    listing_ms = _listing_ms()
    yield Row("readings", f"listing_{IDLE_NODES}_nodes_cpu", "ms", round(listing_ms, 1))
    day = _Bill(nodes=IDLE_NODES, cpu_ms=cpu_ms, weight=weight, listing_ms=listing_ms)
    parts = day.of_readings() | day.of_the_rest()
    _say(f"an idle fleet of {IDLE_NODES:,} nodes, dollars a day", parts, 1)
    metrics = IDLE_NODES * GPUS * GAUGES * price.METRIC_MONTH / price.MONTH_DAYS
    yield Row(
        bench="readings",
        metric=f"idle_day_{IDLE_NODES}_nodes",
        unit="USD",
        ours=round(sum(parts.values()), 3),
        peer=round(metrics, 2),
        peer_name=METRIC_PEER,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weight:
    """How large messages and items are, and so what they cost in units."""

    message_bytes: float
    state_bytes: float
    state_units: float
    hour_units: float
    peer_units: float

    @property
    def write_units(self) -> float:
        """Return write units a message: its state, its share of an hour, a binding a day."""
        return self.state_units + self.hour_units / 60 + DAILY_WRITES / price.DAY_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bill:
    """Dollars a day, part by part."""

    nodes: int
    cpu_ms: float
    weight: _Weight
    listing_ms: float = 0

    def of_readings(self) -> dict[str, float]:
        """Return what readings cost: their way, and what keeps them."""
        messages = self.nodes * price.DAY_MIN
        chunks = math.ceil(price.RECEIVED_AT_ONCE * self.weight.message_bytes / price.SQS_CHUNK)
        received = messages / price.RECEIVED_AT_ONCE
        # A window of twenty seconds for each of five pollers, or full batches when those are more.
        invocations = max(price.POLLS_PER_MIN * price.DAY_MIN, messages / BATCH)
        (function,) = (each for each in catalog.FUNCTIONS if each.name == "gpu_reading")
        seconds = self._billed_ms(function) * messages / 1000
        return {
            "agents send readings (SQS)": messages * price.SQS,
            "readings received and deleted (SQS)": received * (chunks + 1) * price.SQS,
            "gpu_reading (Lambda)": (
                seconds * function.memory_mb / 1024 * price.LAMBDA_GB_S
                + invocations * price.LAMBDA_REQUEST
            ),
            "fleet table (writes)": messages * self.weight.write_units * price.WRITE_UNIT,
            "bindings (reads)": self.nodes * DAILY_READS * price.READ_UNIT,
            "gpu_reading (logs)": invocations * LOG_BYTES / 1e9 * price.LOGS_GB,
        }

    def _billed_ms(self, function: Function) -> float:
        """Return a message's share of an invocation: CPU at that memory's share, and waiting."""
        return self.cpu_ms * price.VCPU_MB / function.memory_mb + WRITE_MS / WORKERS

    def of_the_rest(self) -> dict[str, float]:
        """Return what the page path costs while nothing happens."""
        polled = [
            trigger.queue
            for function in catalog.FUNCTIONS
            for trigger in function.triggers
            if isinstance(trigger, FromQueue) and trigger.queue.name != "gpu-readings"
        ]
        polls = price.POLLS_PER_MIN * price.DAY_MIN
        # A canary is sent, received and deleted: one to gpu-faults, one to each vendor's queue.
        canaries = CANARIES * (price.SQS + 2 * price.SQS_FIFO) * price.DAY_MIN
        woken = CANARIES * price.DAY_MIN  # gpu_alert, and notify for either vendor
        template = yaml.safe_load(TEMPLATE.read_text("utf-8"))["Resources"].values()
        alarms = sum(resource["Type"] == "AWS::CloudWatch::Alarm" for resource in template)
        per_day = 1 / price.MONTH_DAYS
        return {
            "empty receives of every queue (SQS)": sum(
                polls * (price.SQS_FIFO if queue.fifo else price.SQS) for queue in polled
            ),
            "canaries (SQS)": canaries,
            "canaries (Lambda, logs)": woken
            * (CANARY_MS / 1000 * price.LAMBDA_GB_S + price.LAMBDA_REQUEST)
            + woken * LOG_BYTES / 1e9 * price.LOGS_GB,
            "watchdog (Lambda, logs)": self._ticks(),
            "fleet listed once a minute (reads)": price.DAY_MIN
            * self._listing_units()
            * price.READ_UNIT,
            "waiting, due, configuration (reads)": price.DAY_MIN
            * (TICK_SHARDS * HALF_UNIT + CONFIG_READS)
            * price.READ_UNIT,
            f"alarms (CloudWatch, {alarms})": alarms * price.ALARM_MONTH * per_day,
            f"metrics (CloudWatch, {IDLE_METRICS})": IDLE_METRICS * price.METRIC_MONTH * per_day,
            "secrets": len(catalog.SECRETS) * price.SECRET_MONTH * per_day,
        }

    def _ticks(self) -> float:
        """Return what the watchdog's own function costs: taking the listing apart, and waiting."""
        (function,) = (each for each in catalog.FUNCTIONS if each.name == "watchdog")
        billed_ms = self.listing_ms * price.VCPU_MB / function.memory_mb + TICK_CALLS * WRITE_MS
        second = function.memory_mb / 1024 * price.LAMBDA_GB_S
        tick = billed_ms / 1000 * second + price.LAMBDA_REQUEST + LOG_BYTES / 1e9 * price.LOGS_GB
        return tick * price.DAY_MIN

    def _listing_units(self) -> float:
        shard = self.nodes / fleet_heard.SHARDS * self.weight.state_bytes
        return fleet_heard.SHARDS * HALF_UNIT * math.ceil(shard / READ_UNIT_BYTES)


# What an idle fleet writes: ReadingMessages. Canaries write no metric.
IDLE_METRICS = 1


def _weight() -> _Weight:
    nodes = [readings(f"gpu-node-{number:05d}", number) for number in range(200)]
    states = [state_of(GpuReadings.model_validate(node), NOW) for node in nodes]
    sizes = [_size(state) for state in states]
    told = [fleet_rows.pack_hour(RunningHour.model_validate(hour(place))) for place in range(GPUS)]
    hour_bytes = 80 + sum(len(text) + len("g.0000:1b:00") for text in told)
    gpus = [len(json.dumps(gpu, separators=(",", ":"))) for node in nodes for gpu in node["gpus"]]
    return _Weight(
        message_bytes=mean(_sent_bytes(node) for node in nodes),
        state_bytes=mean(sizes),
        state_units=mean(math.ceil(size / price.WRITE_UNIT_BYTES) for size in sizes),
        hour_units=math.ceil(hour_bytes / price.WRITE_UNIT_BYTES),
        peer_units=GPUS * math.ceil(mean(gpus) / price.WRITE_UNIT_BYTES),
    )


def _sent_bytes(node: dict[str, Any]) -> int:
    """Return the length of a message as the agent packs it."""
    message = GpuReadings.model_validate(node)
    window = Window(
        seconds=message.window_s,
        driver=message.driver,
        gpus=message.gpus,
        hours=message.hours,
        ports=message.ports,
        vitals=message.vitals,
    )
    return len(
        pack_readings(
            message.heartbeat,
            message.source,
            lambda: (message.id, message.seq),
            window,
            message.sensors,
        ).text
    )


def _size(state: NodeState) -> int:
    """Return the bytes of a node's item: names and values, as DynamoDB counts them."""
    key = fleet_heard.state_key(state.node)
    names = len("pk" + "sk" + "d" + "boot" + "seq" + "at" + "ttl" + "lost" + "snd" + "asked")
    names += len("rack" + "gone")
    numbers = 5 + 8 + 6 + 2 + 1
    texts = sum(len(value["S"]) for value in key.values()) + len(state.boot_id)
    texts += len(SENDER) + len("2026-11-24") + len(state.labels.get("rack", ""))
    return names + numbers + texts + len(fleet_rows.pack(state))


def _listing_ms() -> float:
    """Return the CPU of taking a listing of the idle fleet apart; DynamoDB answers at once."""
    text = json.dumps({"Items": [_pulse(number) for number in range(IDLE_NODES // SHARDS + 1)]})

    def answer(request: Any, **_: Any) -> AWSResponse:
        body = SimpleNamespace(stream=lambda: iter([text.encode()]))
        return AWSResponse(request.url, 200, HTTPHeaders(), body)

    client: Any = botocore.session.get_session().create_client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.meta.events.register("before-send.dynamodb.Query", answer)
    pulses = FleetPulses(client, "fleet")
    pulses.listed()
    began = time.process_time()
    for _ in range(LISTINGS):
        pulses.listed()
    return (time.process_time() - began) * 1000 / LISTINGS


def _pulse(number: int) -> dict[str, Any]:
    """Return a row as a listing answers it."""
    return {
        "sk": {"S": f"gpu-node-{number:05d}"},
        "at": {"N": "1795489987120"},
        "snd": {"S": SENDER},
        "rack": {"S": "r12"},
        "gone": {"BOOL": False},
    }


def _cpu_ms() -> float:
    """Return the CPU of a message that follows another, as all but one a day do."""
    with _dynamodb() as endpoint:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.bench_readings"],
            env={**_environment(), "AWS_ENDPOINT_URL": endpoint},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    return float(done.stdout.splitlines()[-1])


def _environment() -> dict[str, str]:
    path = f"{ROOT}:{ROOT / 'layers/core/python'}"
    return {**GPU_READING, "PYTHONPATH": path, "PATH": os.defpath}


@contextmanager
def _dynamodb() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.answering"],
        cwd=ROOT,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.stdin.close()
            server.terminate()


def _measure() -> None:
    """Handle a minute of the fleet; print the CPU of a message in milliseconds."""
    from functions.gpu_reading.handler import handler  # noqa: PLC0415 - its environment is set

    handler(_event(0, 1), None)  # connects, and writes the .pyc files
    used = 0.0
    for start in range(0, NODES, BATCH):
        event = _event(start, 2)
        began = time.process_time()
        answer = handler(event, None)
        used += time.process_time() - began
        if answer["batchItemFailures"]:
            raise RuntimeError(f"not all was kept: {answer}")
    sys.stdout.write(f"{used * 1000 / NODES}\n")


def _event(start: int, seq: int) -> dict[str, Any]:
    nodes = range(start, start + BATCH)
    return envelope([readings(f"gpu-node-{number:05d}", seq) for number in nodes])


def _say(what: str, parts: dict[str, float], days: int) -> None:
    lines = [f"  {name:42} {dollars * days:10.3f}" for name, dollars in parts.items()]
    total = sum(parts.values()) * days
    sys.stderr.write("\n".join([f"readings: {what}", *lines, f"  {'total':42} {total:10.3f}\n"]))


if __name__ == "__main__":
    _measure()
