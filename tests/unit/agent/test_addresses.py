from reflexarc.agent.addresses import Addresses
from reflexarc.gpu.watch.model import GpuSample

A, B = "0000:3b:00", "0000:5e:00"


def test_gpu_is_found_by_uuid_and_by_number() -> None:
    addresses = Addresses()
    addresses.learn([GpuSample(device=A, uuid="GPU-a", index=0)])

    assert (addresses.of("GPU-a"), addresses.of("nvidia0")) == (A, A)
    assert addresses.of("MIG-a") is None


def test_renumbered_gpus_are_found_by_the_newest_number() -> None:
    addresses = Addresses()
    addresses.learn([GpuSample(device=A, uuid="GPU-a", index=0)])
    addresses.learn([GpuSample(device=B, uuid="GPU-b", index=0)])

    assert addresses.of("nvidia0") == B
    assert addresses.of("GPU-a") == A


def test_names_without_end_do_not_fill_the_memory() -> None:
    addresses = Addresses()
    for number in range(5000):
        addresses.learn([GpuSample(device=f"{number}", uuid=f"GPU-{number}", index=number)])
        addresses.learn([GpuSample(device="0", uuid=f"GPU-x{number}")])

    assert len(addresses.uuids) == 256
    assert len(addresses.by_name) <= 1025
