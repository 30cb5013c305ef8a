from typing import Any

import pytest

from reflexarc.gpu.fleet_boot import PATIENCE_MS, is_told, is_well, well_of
from reflexarc.gpu.readings import NodeState
from reflexarc.kernel.clock import epoch_ms
from tests.support.readings import DEVICES, NOW, at, gpu, state

BORN = epoch_ms(NOW)


def beat(seq: int, *, boot: str = "new", **more: Any) -> NodeState:
    return state(seq=seq, boot=boot, queued_at=at(60 * seq), **more)


def gpus(**health: str) -> list[dict[str, Any]]:
    """Return two GPUs; by place: the health of one."""
    return [gpu(place, health=health.get(f"g{place}", "ok")) for place in range(2)]


def test_two_heartbeats_of_one_boot_find_every_gpu_well() -> None:
    assert is_told(beat(2), beat(1), BORN)
    assert [each.device for each in well_of(beat(2), beat(1))] == list(DEVICES)


@pytest.mark.parametrize("before", [None, beat(1, boot="old"), beat(2)])
def test_one_heartbeat_alone_tells_nothing(before: NodeState | None) -> None:
    assert not is_told(beat(2), before, BORN)


def test_an_ill_gpu_is_known_at_once_and_not_well() -> None:
    first, second = beat(1, gpus=gpus(g0="lost")), beat(2, gpus=gpus(g0="lost"))

    assert is_told(second, first, BORN)
    assert [each.device for each in well_of(second, first)] == [DEVICES[1]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (gpus(g0="unknown"), gpus()),
        (gpus(), gpus(g0="unknown")),
        (gpus()[1:], gpus()),
        ([], []),
    ],
)
def test_gpus_that_were_not_read_twice_are_waited_for_but_not_for_ever(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    before, now = beat(1, gpus=first), beat(2, gpus=second)

    assert not is_told(now, before, BORN)
    assert is_told(now, before, epoch_ms(now.queued_at) - PATIENCE_MS)
    assert DEVICES[0] not in [each.device for each in well_of(now, before)]


def test_the_clear_names_the_gpu_as_faults_do_and_is_the_same_each_time() -> None:
    second = beat(2, gpus=[gpu(0, device="00000000:1B:00.0"), gpu(1, device="odd:x:y")])

    clears = [is_well(second, each, BORN, NOW) for each in second.gpus]
    again = is_well(
        beat(3), beat(3).gpus[0].model_copy(update={"device": clears[0].entity.device}), BORN, at(9)
    )

    assert [each.entity.device for each in clears] == ["0000:1b:00", "odd:x:y"]
    assert clears[0].kind == "clear"
    assert clears[0].entity.kind == "gpu"
    assert clears[0].order is not None
    assert (clears[0].order.boot_id, clears[0].order.seq) == ("new", 0)
    assert clears[0].id != clears[1].id
    assert again.entity.fingerprint == clears[0].entity.fingerprint
