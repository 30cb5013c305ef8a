import pytest

from reflexarc.gpu.identity import collapse_key, companion, device_of
from reflexarc.gpu.parse import parse


def key(line: str) -> tuple[object, ...]:
    return collapse_key(parse(line), line)


@pytest.mark.parametrize(
    ("printed", "device"),
    [
        ("0000:3b:00", "0000:3b:00"),
        ("0000:3B:00.0", "0000:3b:00"),
        ("00000000:3b:00.0", "0000:3b:00"),
        ("00010000:e1:00", "10000:e1:00"),
        ("0000:3b:00.4", "0000:3b:00.4"),
        ("0001:00", "0001:00"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_device_has_one_spelling(printed: str | None, device: str) -> None:
    assert device_of(printed) == device


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "[1.0] NVRM: Xid (PCI:0000:3b:00): 13, pid=9, name=a, ESR 0x1=0x2",
            "[2.0] NVRM: Xid (PCI:0000:3b:00.0): 13, pid=9, name=a, ESR 0x3=0x4",
        ),
        (
            "nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 20034, Fatal, Link 37 LTSSM Fault Up",
            "nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 20034, Severity 1 Engine instance 37 x",
        ),
        (
            "nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 20034, Data {0x1, 0x2}",
            "nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 20034, Data {0x3, 0x4}",
        ),
        (
            "[1.0] NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.",
            "[9.0] NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.",
        ),
        ("[1.0] NVRM: Xid: 31", "[9.0] NVRM: Xid: 31\n"),
    ],
)
def test_repeats_of_one_fault_share_a_key(one: str, other: str) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(
    "other",
    [
        "NVRM: Xid (PCI:0000:5d:00): 145, pid=1, name=a, RLW_CTRL Nonfatal XC0 i0 Link 1",
        "NVRM: Xid (PCI:0000:3b:00): 146, pid=1, name=a, RLW_CTRL Nonfatal XC0 i0 Link 1",
        "NVRM: Xid (PCI:0000:3b:00): 145, pid=2, name=a, RLW_CTRL Nonfatal XC0 i0 Link 1",
        "NVRM: Xid (PCI:0000:3b:00): 145, pid=1, name=b, RLW_CTRL Nonfatal XC0 i0 Link 1",
        "NVRM: Xid (PCI:0000:3b:00): 145, pid=1, name=a, RLW_CTRL Fatal XC0 i0 Link 1",
        "NVRM: Xid (PCI:0000:3b:00): 145, pid=1, name=a, RLW_CTRL Nonfatal XC0 i0 Link 2",
        "NVRM: Xid (PCI:0000:3b:00 GPU-I:1): 145, pid=1, name=a, RLW_CTRL Nonfatal XC0 i0 Link 1",
    ],
)
def test_whatever_changes_the_verdict_makes_another_key(other: str) -> None:
    line = "NVRM: Xid (PCI:0000:3b:00): 145, pid=1, name=a, RLW_CTRL Nonfatal XC0 i0 Link 1"

    assert key(line) != key(other)


def test_a_recovery_and_its_end_are_two_things() -> None:
    assert key("NVRM: Xid (PCI:0000:3b:00): 154, from 0x0 (None) to 0x1 (x)") != key(
        "NVRM: Xid (PCI:0000:3b:00): 154, from 0x1 (x) to 0x0 (None)"
    )


def test_a_line_that_says_nothing_is_its_own_key() -> None:
    assert key("something else") == ("none", "something else")


def test_only_an_sxid_has_companions() -> None:
    assert companion(parse("NVRM: Xid (PCI:0000:3b:00): 13, Data {0x1}")) is None
    assert companion(parse("nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 26008")) is None
