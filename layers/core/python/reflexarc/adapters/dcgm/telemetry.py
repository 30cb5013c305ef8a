"""Fills telemetry.ports.GpuPage: DCGM metrics that came as OTLP, read like the exporter's page."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reflexarc.adapters.dcgm import fields
from reflexarc.adapters.dcgm.page import Row, is_blank
from reflexarc.events.gpu_faults import Job
from reflexarc.events.gpu_readings import Gauge, GpuReading
from reflexarc.gpu.watch.model import GpuSample

GAUGES = (
    *("temperature_c", "margin_c", "memory_c", "power_w", "power_limit_w", "sm_clock_mhz"),
    *("memory_clock_mhz", "utilization", "memory_used_mib", "memory_total_mib"),
)
COUNTERS = (
    *("ecc_corrected_volatile", "ecc_uncorrected_volatile", "ecc_corrected_aggregate"),
    *("ecc_uncorrected_aggregate", "remapped_correctable", "remapped_uncorrectable"),
    *("remap_pending", "remap_failure", "pcie_replays"),
)


@dataclass(frozen=True, slots=True)
class DcgmTelemetry:
    """One look at each GPU that points tell of; of two points of a series the first counts."""

    def readings(
        self, points: Iterable[tuple[str, Mapping[str, str], float]]
    ) -> tuple[GpuReading, ...]:
        """Return the GPUs that points (name, labels, value) of one node tell of."""
        rows = [
            Row(name, labels, value)
            for name, labels, value in points
            if name in fields.WANTED and math.isfinite(value) and not is_blank(value)
        ]
        addresses = fields.Addresses()
        addresses.learn(rows)
        placed = [(device, row) for row in rows if (device := addresses.of(row.labels))]
        jobs = fields.jobs_of(placed)
        return tuple(
            _reading(sample, jobs.get(sample.device)) for sample in fields.samples_of(placed)
        )


def _reading(sample: GpuSample, job: Job | None) -> GpuReading:
    # No rule was asked here, so its health is not known: never ok by default.
    return GpuReading(
        device=sample.device,
        uuid=sample.uuid,
        index=sample.index,
        name=sample.name,
        looks=1,
        gauges={
            name: Gauge(min=value, mean=value, max=value, last=value)
            for name in GAUGES
            if (value := getattr(sample, name)) is not None
        },
        counters={
            name: int(value) for name in COUNTERS if (value := getattr(sample, name)) is not None
        },
        mig=sample.mig,
        job=job,
    )
