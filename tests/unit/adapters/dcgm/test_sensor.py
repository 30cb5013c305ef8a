import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from reflexarc.adapters.dcgm.scrape import Scraper
from reflexarc.adapters.dcgm.sensor import DcgmSensor
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.unit.adapters.dcgm.conftest import Exporter

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ROW = 'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-a",pci_bus_id="00000000:1B:00.0"} 48\n'


class Ticking:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
def sensor(exporter: Exporter, ticking: Ticking) -> Iterator[DcgmSensor]:
    made = DcgmSensor(exporter.url, clock=lambda: NOW, monotonic=ticking)
    yield made
    made.close()


def xid_page(code: int, *, more: str = "") -> bytes:
    labels = '{gpu="0",UUID="GPU-a",pci_bus_id="00000000:1B:00.0"}'
    return f"DCGM_FI_DEV_XID_ERRORS{labels} {code}\n{more}".encode()


def counted(*counts: tuple[int, int], name: str = "DCGM_EXP_XID_ERRORS_COUNT") -> bytes:
    rows = [
        f'{name}{{gpu="0",UUID="GPU-a",pci_bus_id="00000000:1B:00.0",xid="{code}"}} {count}\n'
        for code, count in counts
    ]
    zero = f'{name}{{gpu="0",UUID="GPU-a",pci_bus_id="00000000:1B:00.0"}} 0\n'
    return "".join(rows or [zero]).encode()


def test_a_page_becomes_partial_samples(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.shows("slurm-quiet.txt")

    seen = sensor.read()

    assert len(seen.gpus) == 8
    first = seen.gpus[0]
    assert first.device == "0000:1b:00"
    assert first.uuid == "GPU-1a2b3c40-5d24-11ef-9c1b-3c7c3f0a0010"
    assert first.index == 0
    assert first.name == "NVIDIA H100 80GB HBM3"
    assert (first.temperature_c, first.memory_c, first.power_w) == (48, 52, 412.5)
    assert (first.sm_clock_mhz, first.memory_clock_mhz, first.utilization) == (1980, 2619, 97)
    assert (first.memory_used_mib, first.memory_total_mib) == (71_804, 81_559)
    assert first.remap_failure is False
    assert first.margin_c is None
    assert seen.gpus[3].pcie_replays == 7
    assert seen.gpus[5].remapped_uncorrectable == 1
    assert sensor.remarks() == ()


def test_slurm_jobs_come_from_the_label(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.shows("slurm-quiet.txt")

    jobs = sensor.read().jobs

    assert sorted(jobs) == ["0000:1b:00", "0000:43:00", "0000:52:00", "0000:61:00"]
    assert (jobs["0000:1b:00"].id, jobs["0000:1b:00"].scheduler) == ("48213", "slurm")


def test_a_page_with_jobs_shows_their_gpus_too(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.body = b'DCGM_FI_DEV_XID_ERRORS{pci_bus_id="00000000:1B:00.0",hpc_job="7"} 0\n'

    seen = sensor.read()

    assert [each.device for each in seen.gpus] == list(seen.jobs) == ["0000:1b:00"]


def test_pods_come_from_the_labels(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.shows("kubernetes.txt")

    job = sensor.read().jobs["0000:43:00"]

    assert job.name == "llama-pretrain-worker-1"
    assert job.workload == "llama-pretrain"
    assert (job.namespace, job.container, job.scheduler) == ("research", "trainer", "kubernetes")


def test_mig_instances_have_their_own_jobs_and_no_memory_of_the_gpu(
    exporter: Exporter, sensor: DcgmSensor
) -> None:
    exporter.shows("mig.txt")

    seen = sensor.read()

    assert {key: job.workload for key, job in seen.jobs.items()} == {
        "0000:1b:00/1": "notebook",
        "0000:1b:00/2": "serve",
    }
    assert len(seen.gpus) == 1
    assert seen.gpus[0].mig is True
    assert seen.gpus[0].temperature_c == 44
    assert seen.gpus[0].memory_used_mib is None


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ('exported_pod="a-0",pod="dcgm-exporter-x7k2p",namespace="gpu"', "a-0"),
        ('pod_name="b-0",pod_namespace="lab",container_name="c"', "b-0"),
    ],
)
def test_labels_of_other_spellings_name_the_pod(
    exporter: Exporter, sensor: DcgmSensor, labels: str, name: str
) -> None:
    exporter.body = f'DCGM_FI_DEV_GPU_TEMP{{pci_bus_id="00000000:1B:00.0",{labels}}} 4\n'.encode()

    assert sensor.read().jobs["0000:1b:00"].name == name


def test_a_sticky_code_is_no_witness(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.shows("slurm-quiet.txt")

    seen = [sensor.read().xids for _ in range(3)]

    assert seen == [(), (), ()]


def test_changes_and_counts_since_the_last_page_are_witnesses_once(
    exporter: Exporter, sensor: DcgmSensor
) -> None:
    exporter.shows("slurm-quiet.txt")
    sensor.read()
    exporter.shows("slurm-xid-79.txt")

    seen = sensor.read().xids
    again = sensor.read().xids

    assert {(each.device, each.code, each.count, each.sxid) for each in seen} == {
        ("0000:52:00", 79, 1, False),
        ("0000:52:00", 48, 2, False),
        ("0000:06:00", 20034, 1, True),
    }
    assert all(each.witness == "dcgm" and each.at == NOW for each in seen)
    assert again == ()


def test_a_change_of_the_gauge_is_a_witness(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.body = xid_page(31)
    sensor.read()
    exporter.body = xid_page(79)

    seen = sensor.read().xids

    assert [(each.device, each.code, each.uuid) for each in seen] == [("0000:1b:00", 79, "GPU-a")]


def test_an_exporter_that_restarts_is_no_witness(
    exporter: Exporter, sensor: DcgmSensor, ticking: Ticking
) -> None:
    exporter.body = xid_page(79)
    sensor.read()
    exporter.body = xid_page(0)
    restarted = sensor.read().xids
    ticking.seconds += 5
    exporter.body = xid_page(79)

    assert restarted == ()
    assert sensor.read().xids == ()


def test_the_same_code_long_after_a_restart_is_a_witness(
    exporter: Exporter, sensor: DcgmSensor, ticking: Ticking
) -> None:
    for code in (79, 0):
        exporter.body = xid_page(code)
        sensor.read()
    ticking.seconds += 61
    exporter.body = xid_page(79)

    assert [each.code for each in sensor.read().xids] == [79]


def test_a_page_without_the_gauge_in_between_keeps_what_it_showed(
    exporter: Exporter, sensor: DcgmSensor
) -> None:
    exporter.body = xid_page(79)
    sensor.read()
    exporter.body = ROW.encode()
    sensor.read()
    exporter.body = xid_page(79)

    assert sensor.read().xids == ()


def test_another_start_time_makes_a_new_baseline(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.body = xid_page(0, more="process_start_time_seconds 1.7e9\n")
    sensor.read()
    exporter.body = xid_page(79, more="process_start_time_seconds 1.8e9\n")

    assert sensor.read().xids == ()


def test_counts_that_age_out_are_no_witness_and_count_anew(
    exporter: Exporter, sensor: DcgmSensor
) -> None:
    told = []
    for page in (
        counted((94, 5)),
        counted((94, 7)),
        counted((94, 3)),
        counted(),
        counted((94, 1)),
        counted((94, 1), (0, 9)),
    ):
        exporter.body = page
        told.append([each.count for each in sensor.read().xids])

    assert told == [[], [2], [], [], [1], []]


def test_a_total_that_starts_again_is_no_witness(exporter: Exporter, sensor: DcgmSensor) -> None:
    name = "DCGM_EXP_XID_ERRORS_TOTAL"
    told = []
    for count in (9, 9, 1, 3):
        exporter.body = counted((31, count), name=name)
        told.append([each.count for each in sensor.read().xids])

    assert told == [[], [], [], [2]]


def test_a_switch_without_an_address_is_remarked_and_no_witness(
    exporter: Exporter, sensor: DcgmSensor
) -> None:
    for code in (0, 20034):
        exporter.body = (
            f'DCGM_FI_DEV_NVSWITCH_FATAL_ERRORS{{nvswitch="nvswitch0"}} {code}\n'.encode()
        )
        seen = sensor.read()

    assert seen.xids == ()
    assert "DCGM_FI_DEV_NVSWITCH_PCIE_DOMAIN" in sensor.remarks()[0]


def test_a_row_without_address_is_known_by_its_uuid(exporter: Exporter) -> None:
    known = {"GPU-b": "0000:43:00"}
    sensor = DcgmSensor(exporter.url, device_of_uuid=known.get)
    exporter.body = ROW.encode()
    sensor.read()
    exporter.body = (
        b'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-a"} 50\n'
        b'DCGM_FI_DEV_GPU_TEMP{gpu="1",uuid="GPU-b"} 51\n'
        b'DCGM_FI_DEV_GPU_TEMP{gpu="2",UUID="GPU-c"} 52\n'
        b'DCGM_FI_DEV_GPU_TEMP{gpu="3"} 53\n'
    )

    seen = sensor.read()
    sensor.close()

    assert {each.device: each.temperature_c for each in seen.gpus} == {
        "0000:1b:00": 50,
        "0000:43:00": 51,
    }
    assert "2 rows name no GPU that is known" in sensor.remarks()[0]


def test_a_bad_line_costs_that_line_only(exporter: Exporter, sensor: DcgmSensor) -> None:
    bad = (
        'DCGM_FI_DEV_POWER_USAGE{pci_bus_id="00000000:1B:00.0" oops\n'
        "DCGM_FI_DEV_SM_CLOCK{gpu=} nine\n"
        "%%% not a metric\n"
        'DCGM_FI_DEV_MEMORY_TEMP{pci_bus_id="zz:zz"} 3\n'
    )
    exporter.body = bad.encode() + b"\xff\xfe\x00\n" + ROW.encode()

    seen = sensor.read()

    assert [each.temperature_c for each in seen.gpus] == [48]
    assert "4 lines cannot be read" in sensor.remarks()


def test_values_that_are_none_stay_unknown(exporter: Exporter, sensor: DcgmSensor) -> None:
    at = '{pci_bus_id="00000000:1B:00.0"}'
    exporter.body = (
        f"DCGM_FI_DEV_GPU_TEMP{at} NaN\nDCGM_FI_DEV_POWER_USAGE{at} +Inf\n"
        f"DCGM_FI_DEV_MEMORY_TEMP{at} 9223372036854775794\nDCGM_FI_DEV_SM_CLOCK{at} 2147483632\n"
        f"DCGM_FI_DEV_GPU_UTIL{at} 140737488355328\nDCGM_FI_DEV_PCIE_REPLAY_COUNTER{at} -1\n"
        f"DCGM_FI_DEV_MEM_CLOCK{at} 1593\nDCGM_FI_DEV_MEM_CLOCK{at} 1594\n"
    ).encode()

    gpu = sensor.read().gpus[0]

    assert (gpu.temperature_c, gpu.power_w, gpu.memory_c, gpu.sm_clock_mhz) == (None,) * 4
    assert (gpu.utilization, gpu.pcie_replays) == (None, None)
    assert gpu.memory_clock_mhz == 1593
    assert "2 values are no numbers" in sensor.remarks()
    assert "1 series stand there twice; the first counts" in sensor.remarks()


def test_half_a_line_at_the_end_is_no_number(exporter: Exporter, sensor: DcgmSensor) -> None:
    other = ROW.replace("TEMP", "UTIL").replace("48", "97")
    exporter.body = (ROW + other).encode()[:-2]

    (gpu,) = sensor.read().gpus

    assert (gpu.temperature_c, gpu.utilization) == (48, None)
    assert "the page ends in the middle of a line" in sensor.remarks()


def test_a_page_cut_short_on_the_way_is_a_failure(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.body = ROW.encode()
    exporter.claim = 100

    with pytest.raises(Unavailable, match="breaks off its answer"):
        sensor.read()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, "text/plain", b"no"), "answers 500"),
        ((302, "text/plain", b""), "answers 302"),
        ((200, "text/html; charset=utf-8", b"<html>"), "answers with 'text/html'"),
        ((200, "text/plain", b"<html>\n<body>\n"), "2 lines that are no metrics"),
        ((200, "text/plain", b""), "no metrics of DCGM"),
        ((200, "text/plain", b"node_load1 0.3\n"), "no metrics of DCGM"),
    ],
)
def test_what_is_no_page_is_a_failure_with_words(
    exporter: Exporter, sensor: DcgmSensor, answer: tuple[int, str, bytes], words: str
) -> None:
    exporter.status, exporter.kind, exporter.body = answer
    exporter.headers = {"Location": "http://192.0.2.1/"}

    with pytest.raises(Unavailable, match=words):
        sensor.read()


def test_a_page_with_other_fields_only_is_no_failure(
    exporter: Exporter, sensor: DcgmSensor
) -> None:
    exporter.body = b'DCGM_FI_PROF_DRAM_ACTIVE{gpu="0"} 0.4\n'

    assert sensor.read().gpus == ()


def test_a_page_of_ten_megabytes_is_not_read_to_its_end(
    exporter: Exporter, sensor: DcgmSensor
) -> None:
    exporter.body = b"x" * (10 << 20)

    with pytest.raises(Unavailable, match="more than 8 MiB"):
        sensor.read()


def test_a_host_that_never_answers_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/metrics"
        scraper = Scraper(url, total_s=0.2)

        with pytest.raises(Unavailable, match=r"does not answer .*curl -m 5"):
            scraper.page()
        scraper.close()


@pytest.mark.parametrize("drip_s", [0.02, 5.0])
def test_a_slow_exporter_holds_us_for_a_bounded_time(exporter: Exporter, drip_s: float) -> None:
    exporter.body, exporter.drip_s = ROW.encode() * 9, drip_s
    sensor = DcgmSensor(exporter.url, scraper=Scraper(exporter.url, total_s=0.3))

    with pytest.raises(Unavailable, match=r"takes more than 0.3 s|breaks off"):
        sensor.read()
    sensor.close()


def test_an_exporter_that_recovers_is_read_again(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.status = 503
    with pytest.raises(Unavailable):
        sensor.read()
    exporter.status, exporter.body = 200, ROW.encode()

    assert len(sensor.read().gpus) == 1


def test_nothing_that_listens_is_absent_until_it_has_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sensor = DcgmSensor(f"http://127.0.0.1:{port}/metrics")

    with pytest.raises(Rejected, match="start dcgm-exporter there"):
        sensor.read()
    sensor.close()


def test_an_exporter_that_goes_away_is_failing(exporter: Exporter) -> None:
    exporter.body = ROW.encode()
    scraper = Scraper(exporter.url)
    scraper.page()
    with socket.create_server(("127.0.0.1", 0)) as free:
        scraper._url = f"http://127.0.0.1:{free.getsockname()[1]}/"

    with pytest.raises(Unavailable, match="nothing listens"):
        scraper.page()
    scraper.close()


@pytest.mark.parametrize(
    "url", ["", "localhost:9400", "file:///etc/passwd", "http://u:p@host/", "http://[::1"]
)
def test_an_address_that_is_none_is_rejected_without_showing_it(url: str) -> None:
    sensor = DcgmSensor(url)

    with pytest.raises(Rejected, match="dcgm_url is no address") as refused:
        sensor.read()
    assert "u:p" not in str(refused.value)


def test_more_devices_than_a_node_has_are_left_out(exporter: Exporter, sensor: DcgmSensor) -> None:
    exporter.body = "".join(
        f'DCGM_FI_DEV_GPU_TEMP{{UUID="GPU-{n}",pci_bus_id="{n:08x}:00:00.0"}} 4\n'
        for n in range(1_000)
    ).encode()

    assert len(sensor.read().gpus) == 256
