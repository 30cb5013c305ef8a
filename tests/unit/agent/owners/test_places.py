import pytest

from reflexarc.agent.owners.places import DEVICES_MAX, Places
from reflexarc.gpu.watch.model import GpuSample, Observation

A, B, C = "0000:1b:00", "0000:43:00", "0000:52:00"


def shown(*gpus: tuple[str, int | None], driver: str = "550") -> Observation:
    return Observation(
        gpus=tuple(GpuSample(device=d, uuid=f"GPU-{d[5:7]}", index=i) for d, i in gpus),
        driver=driver,
    )


@pytest.fixture
def places() -> Places:
    made = Places()
    made.learn(shown((A, 0), (B, 1), (C, 2)))
    return made


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("1", B),
        ("nvidia1", B),
        ("1.3", f"{B}/3"),
        ("nvidia1/gi3", f"{B}/3"),
        ("GPU-43", B),
        ("MIG-GPU-43/5/0", f"{B}/5"),
        ("00000000:43:00.0", B),
        ("0000:43:00", B),
        ("7", None),
        ("GPU-zz", None),
        ("MIG-GPU-zz/1/0", None),
        ("MIG-0a1b", None),
        ("", None),
        ("1.", None),
    ],
)
def test_a_gpu_is_found_by_any_of_its_names(places: Places, name: str, place: str | None) -> None:
    assert places.of(name) == place


def test_the_newest_numbering_of_nvml_holds(places: Places) -> None:
    places.learn(shown((A, 0), (C, 1)))

    assert [places.of(n) for n in ("0", "1", "2")] == [A, C, None]


def test_a_lost_gpu_keeps_its_number_until_another_has_it(places: Places) -> None:
    places.learn(shown((A, 0), (B, None), (C, 2)))
    kept = places.of("1")
    places.learn(shown((A, 0), (B, None), (C, 1)))

    assert kept == B
    assert [places.of(n) for n in ("1", "2")] == [C, None]


def test_the_exporters_numbers_count_only_where_nvml_never_spoke(places: Places) -> None:
    only_dcgm = Places()
    for each in (places, only_dcgm):
        each.learn(shown((C, 0), driver=""))

    assert places.of("0") == A
    assert only_dcgm.of("0") == C


def test_memory_is_bounded() -> None:
    places = Places()

    for number in range(2 * DEVICES_MAX):
        places.learn(Observation(gpus=(GpuSample(device=f"d{number}", uuid=f"GPU-{number}"),)))

    assert len(places.uuids) == DEVICES_MAX
