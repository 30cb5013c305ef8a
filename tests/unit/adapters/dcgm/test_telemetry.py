from reflexarc.adapters.dcgm import fields, witness
from reflexarc.adapters.dcgm.telemetry import COUNTERS, GAUGES, DcgmTelemetry
from reflexarc.agent import aggregate
from reflexarc.gpu.reads import DCGM_METRICS

LABELS = {"pci_bus_id": "00000000:3B:00.0", "UUID": "GPU-1", "gpu": "0"}


def test_a_device_without_an_address_is_known_by_a_uuid_that_stands_beside_one() -> None:
    points = [
        ("DCGM_FI_DEV_GPU_TEMP", {"UUID": "GPU-1"}, 70.0),
        ("DCGM_FI_DEV_POWER_USAGE", LABELS, 600.0),
    ]

    (gpu,) = DcgmTelemetry().readings(points)

    assert (gpu.device, set(gpu.gauges)) == ("0000:3b:00", {"temperature_c", "power_w"})


def test_a_mig_instance_is_part_of_its_gpu() -> None:
    points = [("DCGM_FI_DEV_GPU_TEMP", {**LABELS, "GPU_I_ID": "3"}, 70.0)]

    (gpu,) = DcgmTelemetry().readings(points)

    assert gpu.mig is True


def test_flags_are_counters_as_the_agents_are() -> None:
    (gpu,) = DcgmTelemetry().readings([("DCGM_FI_DEV_ROW_REMAP_PENDING", LABELS, 1.0)])

    assert gpu.counters == {"remap_pending": 1}


def test_it_speaks_of_gauges_and_counters_in_the_agents_words() -> None:
    assert set(GAUGES) <= set(aggregate.GAUGES)
    assert set(COUNTERS) <= set(aggregate.COUNTERS)


def test_every_metric_that_is_read_is_guarded_against_rules() -> None:
    assert set(DCGM_METRICS) >= fields.WANTED
    assert set(DCGM_METRICS) <= fields.WANTED | witness.WANTED
