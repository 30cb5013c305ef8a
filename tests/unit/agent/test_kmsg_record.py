import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.adapters.kmsg.record import parse_record
from reflexarc.kernel.errors import Rejected


def test_record_gives_number_time_and_text() -> None:
    record = parse_record(b"3,4711,1234567,-;NVRM: Xid (PCI:0000:3b:00): 79, gone\n")

    assert (record.seq, record.usec, record.priority) == (4711, 1_234_567, 3)
    assert record.text == "NVRM: Xid (PCI:0000:3b:00): 79, gone"
    assert record.from_kernel


def test_continuation_lines_are_details_and_not_text() -> None:
    raw = b"6,1,2,-,caller=T12;pci reset\n SUBSYSTEM=pci\n DEVICE=+pci:0000:3b:00.0\n"

    record = parse_record(raw)

    assert record.text == "pci reset"
    assert record.details == {"SUBSYSTEM": "pci", "DEVICE": "+pci:0000:3b:00.0"}


def test_text_may_hold_semicolons_and_escaped_bytes() -> None:
    record = parse_record(rb"3,1,2,c;a;b \x5cq \xc3\xa4 \x0atwo")

    assert record.text == "a;b \\q ä \ntwo"


@pytest.mark.parametrize(("priority", "ours"), [(0, True), (7, True), (8, False), (30, False)])
def test_facility_tells_the_kernel_from_programs(priority: int, ours: bool) -> None:  # noqa: FBT001 - a parameter
    assert parse_record(f"{priority},1,2,-;x".encode()).from_kernel is ours


@pytest.mark.parametrize("raw", [b"", b"hello", b"3,x,2,-;text", b"3,1", b"3,1,2,-"])
def test_other_bytes_are_refused_with_what_they_were(raw: bytes) -> None:
    with pytest.raises(Rejected, match="not a /dev/kmsg record"):
        parse_record(raw)


@given(st.binary())
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    try:
        parse_record(b"3,1,2,-;" + raw)
        parse_record(raw)
    except Rejected:
        pass
