"""Readings of a node to test with: each builder takes only what its test is about."""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from reflexarc.events.delivery import Delivery
from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.gpu.readings import NodeState, state_of

NOW = datetime(2026, 11, 24, 3, 13, 7, 120_000, tzinfo=UTC)
DEVICES = tuple(f"0000:{bus:02x}:00" for bus in (0x1B, 0x3B, 0x43, 0x52, 0x9B, 0xBB, 0xC3, 0xD1))
COUNTERS = (
    "ecc_corrected_volatile", "ecc_uncorrected_volatile", "ecc_corrected_aggregate",
    "ecc_uncorrected_aggregate", "remapped_correctable", "remapped_uncorrectable",
    "remap_pending", "remap_failure", "recovery_action", "nvlink_errors", "pcie_replays",
    "pcie_width", "pcie_width_max",
)  # fmt: skip
JOB = {"id": "88123", "name": "llama", "owner": "team-a", "scheduler": "slurm"}


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def gpu(place: int, *, hot: str = "", **more: Any) -> dict[str, Any]:
    """Return one idle GPU's reading; `hot` names a thermal rule that holds on it."""

    def gauge(value: float) -> dict[str, float]:
        return {"min": value - 1, "mean": value + 0.3, "max": value + 2, "last": value}

    return {
        "device": DEVICES[place],
        "uuid": f"GPU-{UUID(int=(place + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128)}",
        "index": place,
        "name": "NVIDIA H100 80GB HBM3",
        "health": "critical" if hot.endswith("/limit") else "warning" if hot else "ok",
        "looks": 60,
        "gauges": {
            "temperature_c": gauge(31.0 + place),
            "margin_c": gauge(55.0 - place),
            "power_w": gauge(70.0 + place),
            "utilization": {"min": 0, "mean": 0, "max": 0, "last": 0},
            "memory_used_mib": gauge(4.0),
            "memory_total_mib": gauge(81_559.0),
            "memory_c": gauge(38.0),
            "memory_margin_c": gauge(57.0),
            "power_limit_w": gauge(700.0),
            "sm_clock_mhz": gauge(345.0),
            "memory_clock_mhz": gauge(2_619.0),
        },
        "counters": dict.fromkeys(COUNTERS, 0),
        "throttled_s": {"idle": 60.0},
        "active": [hot] if hot else [],
        "mig": False,
        **more,
    }


def hour(place: int, *, closed: bool = False, **more: Any) -> dict[str, Any]:
    """Return how one GPU spent the hour of NOW."""
    return {
        "device": DEVICES[place],
        "name": "NVIDIA H100 80GB HBM3",
        "hour": "2026-11-24T03:00:00Z",
        "since": "2026-11-23T03:12:07.120000Z",
        "observed_s": 787.0 + place,
        "idle_s": 787.0,
        "allocated_idle_s": 0.0,
        "closed": closed,
        **more,
    }


def readings(
    node: str = "node-7",
    seq: int = 42,
    *,
    boot: str = "5f1c0b0e-8a65-4c1e-9c62-2a5d0a0e6f11",
    rack: str = "r12",
    hot: Mapping[int, str] | None = None,
    farewell: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """Return a message of an idle node of eight GPUs; `hot` names rules by a GPU's place."""
    return {
        "schema": "gpu_readings/1",
        "id": "01KASR6G4GAAAAAAAAAAAAAAAA",
        "sent_at": NOW.isoformat(),
        "source": {
            "node": node,
            "agent": "0.1.0",
            "boot_id": boot,
            "labels": {"rack": rack, "cluster": "train-a"} if rack else {},
        },
        "seq": seq,
        "heartbeat": {
            "started_at": at(-86_400).isoformat(),
            "counters": {"lines": 81_234, "samples": 86_400, "sent": 1_440},
            "farewell": farewell,
        },
        "window_s": 60.0,
        "driver": "570.124.06",
        "gpus": [gpu(place, hot=(hot or {}).get(place, "")) for place in range(len(DEVICES))],
        "hours": [hour(place, name="") for place in range(len(DEVICES))],
        "ports": [
            {
                "name": f"mlx5_{port}/1",
                "state": "ACTIVE",
                "link": "InfiniBand",
                "rate": "400 Gb/sec (4X NDR)",
                "counters": {"symbol_error": 0, "link_downed": 0, "link_error_recovery": 0},
            }
            for port in range(8)
        ],
        "vitals": {
            "memory_available_mib": 1_800_000,
            "memory_total_mib": 2_063_000,
            "disk_free_mib": 410_000,
            "cpu_throttled": 0,
            "cpu_pressure": 0.0,
            "memory_pressure": 0.0,
            "io_pressure": 0.0,
            "oom_kills": 0,
            "load1": 2.5,
            "uptime_s": 1_843_022.0,
        },
        "sensors": [
            {"name": "nvml", "status": "ok"},
            {"name": "dcgm", "status": "off", "says": "no exporter named: set --dcgm"},
        ],
        **more,
    }


def state(*args: Any, queued_at: datetime = NOW, **more: Any) -> NodeState:
    """Return what is kept of such a message."""
    return state_of(GpuReadings.model_validate(readings(*args, **more)), queued_at)


def delivery(
    message: object, *, after: float = 0, message_id: str = "", sender: str = "role:i-1"
) -> Delivery:
    """Return a message as the queue hands it over, so many seconds after NOW."""
    body = message if isinstance(message, str) else json.dumps(message)
    return Delivery(
        message_id=message_id or f"m-{abs(hash((body, after)))}",
        body=body,
        sender=sender,
        queued_at=at(after),
    )


def envelope(messages: Collection[object], sender: str = "role:i-1") -> dict[str, Any]:
    """Return an SQS event of these messages, as Lambda hands it to a handler."""
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "body": message if isinstance(message, str) else json.dumps(message),
                "attributes": {
                    "SenderId": sender,
                    "SentTimestamp": str(round(NOW.timestamp() * 1000) + number),
                },
            }
            for number, message in enumerate(messages)
        ]
    }
