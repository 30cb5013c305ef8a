import math

from reflexarc.agent.merging import Merger
from reflexarc.events.gpu_readings import Vitals
from reflexarc.gpu.watch.model import GpuSample, Observation, PortSample

A, B, C = "0000:3b:00", "0000:5e:00", "0000:86:00"


def seen(*gpus: GpuSample) -> Observation:
    return Observation(gpus=gpus)


def test_later_sensor_fills_what_the_first_lacks_field_by_field() -> None:
    nvml = GpuSample(device=A, uuid="GPU-a", temperature_c=60.0)
    dcgm = GpuSample(device=A, name="H100", temperature_c=10.0, memory_c=70.0, utilization=0.0)

    [gpu] = Merger().merge(seen(nvml), [seen(dcgm)]).gpus

    assert (gpu.uuid, gpu.name) == ("GPU-a", "H100")
    assert (gpu.temperature_c, gpu.memory_c, gpu.utilization) == (60, 70, 0)


def test_zero_is_a_reading_and_is_not_filled() -> None:
    nvml = GpuSample(device=A, utilization=0.0, ecc_uncorrected_volatile=0, remap_pending=False)
    dcgm = GpuSample(device=A, utilization=9.0, ecc_uncorrected_volatile=5, remap_pending=True)

    [gpu] = Merger().merge(seen(nvml), [seen(dcgm)]).gpus

    assert gpu == nvml


def test_nan_is_not_known_and_is_filled() -> None:
    nvml = GpuSample(device=A, temperature_c=math.nan, power_w=math.inf)
    dcgm = GpuSample(device=A, temperature_c=61.0, power_w=math.nan)

    [gpu] = Merger().merge(seen(nvml), [seen(dcgm)]).gpus

    assert (gpu.temperature_c, gpu.power_w) == (61, None)


def test_exporter_does_not_keep_alive_a_gpu_that_the_driver_shows_no_more() -> None:
    merger = Merger()
    exporter = seen(GpuSample(device=A), GpuSample(device=B))
    merger.merge(seen(GpuSample(device=A), GpuSample(device=B)), [exporter])

    view = merger.merge(seen(GpuSample(device=A)), [exporter])

    assert [gpu.device for gpu in view.gpus] == [A]


def test_exporter_shows_what_the_driver_never_showed_and_all_while_the_driver_is_silent() -> None:
    merger = Merger()
    exporter = seen(GpuSample(device=A), GpuSample(device=C))

    both = merger.merge(seen(GpuSample(device=A)), [exporter])
    alone = merger.merge(None, [exporter])

    assert [gpu.device for gpu in both.gpus] == [A, C]
    assert [gpu.device for gpu in alone.gpus] == [A, C]


def test_lost_gpu_has_no_readings_of_a_sensor_that_is_behind() -> None:
    lost = GpuSample(device=A, lost=True)

    [gpu] = Merger().merge(seen(lost), [seen(GpuSample(device=A, temperature_c=50.0))]).gpus

    assert gpu == lost


def test_renumbered_gpus_are_told_apart_by_address() -> None:
    merger = Merger()
    merger.merge(seen(GpuSample(device=A, index=0), GpuSample(device=B, index=1)), [])

    view = merger.merge(seen(GpuSample(device=B, index=0)), [seen(GpuSample(device=B, index=1))])

    assert [(gpu.device, gpu.index) for gpu in view.gpus] == [(B, 0)]


def test_gpus_that_tell_no_uuid_are_told_apart_by_address() -> None:
    nvml = seen(GpuSample(device=A, power_w=100.0), GpuSample(device=B, power_w=200.0))
    dcgm = seen(GpuSample(device=B, uuid="GPU-b"))

    first, second = Merger().merge(nvml, [dcgm]).gpus

    assert (first.uuid, first.power_w) == ("", 100)
    assert (second.uuid, second.power_w) == ("GPU-b", 200)


def test_sample_without_an_address_is_nobody() -> None:
    view = Merger().merge(seen(GpuSample(device="")), [seen(GpuSample(device=""))])

    assert view.gpus == ()


def test_ports_vitals_and_driver_come_from_whoever_knows_them() -> None:
    port = PortSample(name="mlx5_0/1", state="ACTIVE")
    other = PortSample(name="mlx5_0/1", state="DOWN")

    view = Merger().merge(
        Observation(driver="580.1"),
        [Observation(ports=(port,)), Observation(ports=(other,), vitals=Vitals(load1=1.0))],
    )

    assert (view.ports, view.vitals, view.driver) == ((port,), Vitals(load1=1.0), "580.1")
