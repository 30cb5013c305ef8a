"""No input raises, and what a fault line says does not depend on what surrounds it."""

import json
import string
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from reflexarc.events.delivery import Delivery
from reflexarc.events.gpu_faults import LINE_MAX
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.identity import collapse_key, device_of
from reflexarc.gpu.lines import EventLines
from reflexarc.gpu.messages import Batch, read
from reflexarc.gpu.parse import parse, parse_each
from reflexarc.gpu.rules import judge
from reflexarc.gpu.signals import signals_of
from reflexarc.kernel.errors import Rejected

QUEUED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REAL = (
    "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus.",
    "NVRM: Xid (PCI:0000:3b:00 GPU-I:01 GPU-CI:02): 13, pid='<unknown>', name=<unknown>, ESR 0x1",
    "NVRM: Xid (0000:03:00): 14, Channel 00000001",
    "NVRM: Xid (PCI:0018:01:00): 149, NETIR_LINK_EVT  Fatal   XC0 i0 Link 09 (0x025525c6 0x0)",
    "NVRM: Xid (PCI:0008:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (PF FLR)",
    "NVRM: Xid (PCI:0000:01:00): 95, pid=7062, Uncontained: LTC (0x2). RST: Yes, D-RST: No",
    "NVRM: Xid (PCI:0000:01:00): 45, pid=1, name=a, Ch 1, caused by previous Xid 31",
    "nvidia-nvswitch2: SXid (PCI:0000:85:00.0): 12028, Non-fatal, Link 61 egress PRIV error",
    "nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 20034, Severity 1 Engine instance 60",
    "NVRM: The NVIDIA GPU 0000:b3:00.0\nNVRM: (PCI ID: 1:2) installed\nNVRM: fallen off the bus",
    '{"log":"NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=a, Gone\\n","stream":"stderr"}',
    "4,1,2,-;NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=\\xc3\\xa9, Gone",
)
# Prefixes in which nobody quotes: what a console, a daemon or a shipper prints before a line.
prefixes = st.text(string.ascii_letters + string.digits + " :.[]()<>,;|-_T+/", max_size=40).map(
    lambda text: f"{text}: "
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return a real line with pieces cut, repeated and replaced."""
    text = draw(st.sampled_from(REAL))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(st.text(max_size=6) | st.just(text[start:end] * 2)) + text[end:]
    return text


lines = st.text() | mutated() | st.sampled_from(REAL)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | lines,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(lines)
def test_no_line_raises(text: str) -> None:
    fault = parse(text)

    assert judge(fault).action
    assert hash(collapse_key(fault, text)) == hash(collapse_key(fault, text))
    assert parse(text) == fault
    assert all(found.kind != "none" or found.suspicious for _, found in parse_each(text))


@given(st.lists(lines, max_size=12))
def test_joining_lines_loses_and_delays_none(fed: list[str]) -> None:
    events = EventLines()

    assert all(events.feed(line).endswith(line) for line in fed)


@given(prefixes, st.sampled_from(REAL[:9]), st.sampled_from(["", "\r", "\n", " ", "\r\n"]))
def test_prefix_and_line_ending_change_nothing(prefix: str, line: str, ending: str) -> None:
    assert parse(prefix + line + ending) == parse(line)


@given(prefixes, st.sampled_from(REAL[:9]), st.sampled_from(["log", "MESSAGE", "message"]))
def test_json_around_a_line_changes_nothing(prefix: str, line: str, key: str) -> None:
    document = {"date": 1.5, key: prefix + line + "\n", "stream": "stderr"}

    assert parse(json.dumps(document)) == parse(line)
    assert parse(json.dumps(document, ensure_ascii=False)) == parse(line)
    assert parse(json.dumps({"log": json.dumps(document)})) == parse(line)


@given(
    st.integers(0, 9_999),
    st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.integers(0, 0x1F)),
    st.integers(1, 4_194_304),
    st.text(string.ascii_letters + string.digits + "_-:[]./ ", min_size=1, max_size=15),
)
def test_what_the_kernel_prints_is_what_we_read(
    code: int, place: tuple[int, int, int], pid: int, name: str
) -> None:
    domain, bus, device = place
    line = f"NVRM: Xid (PCI:{domain:04x}:{bus:02x}:{device:02x}): {code}, pid={pid}, name={name}, x"

    fault = parse(line)

    assert (fault.kind, fault.code, fault.pid, fault.detail) == ("xid", code, pid, "x")
    assert fault.process == (name.strip() or None)
    assert device_of(fault.pci) == f"{domain:04x}:{bus:02x}:{device:02x}"


@given(st.sampled_from([line for line in REAL if "Xid (" in line]), st.integers(0, 400))
def test_a_line_cut_off_is_never_taken_for_another_device(line: str, length: int) -> None:
    whole, cut = parse(line), parse(line[:length])

    assert cut.pci in {None, whole.pci, (whole.pci or "").removesuffix(".0")}
    assert cut.kind in {whole.kind, "none"}


def read_or_refuse(delivery: Delivery) -> Batch | None:
    """Return None for a message that is refused, which must be with words."""
    try:
        return read(delivery)
    except Rejected as error:
        if not str(error):
            raise
        return None


@given(values, st.none() | lines)
def test_no_message_raises_and_none_is_both_read_and_lost(document: object, line: object) -> None:
    message = {
        "schema": "gpu_faults/1",
        "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "sent_at": "2026-03-01T12:00:00Z",
        "source": {"node": "n"},
        "seq": 1,
        "faults": [{"line": line, "observed_at": "2026-03-01T11:59:59Z"}, document],
    }
    for body in (json.dumps(message), json.dumps(message | {"schema": "gpu_faults/9"})):
        delivery = Delivery(message_id="m", body=body, sender="s", queued_at=QUEUED)
        batch = read_or_refuse(delivery)
        if batch is None:
            continue
        for signal in signals_of(batch, delivery, GpuPolicy(), QUEUED):
            assert signal.model_dump_json()
            assert signal.first_at <= signal.last_at <= QUEUED


@given(st.text() | values.map(json.dumps))
def test_no_body_raises(body: str) -> None:
    delivery = Delivery(message_id="m", body=body, sender="s", queued_at=QUEUED)
    batch = read_or_refuse(delivery)

    assert batch is None or batch.reports


def test_the_longest_line_of_noise_costs_little() -> None:
    # Each was chosen to make a careless pattern try every pair of places.
    for piece in (
        "NVRM: Xid (",
        "NVRM:",
        " ",
        "{",
        '"',
        "\\x0a",
        "nvidia 0000:3b:00 ",
        "NVRM: Xid",
    ):
        for tail in ("", " fallen off the bus", "NVRM: Xid (PCI:0000:3b:00): 145, name=a"):
            parse(piece * (8 * LINE_MAX // len(piece)) + tail)
            parse(tail + piece * (8 * LINE_MAX // len(piece)))
