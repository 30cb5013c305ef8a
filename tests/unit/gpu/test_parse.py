import json

import pytest

from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.parse import LONGEST, NOTHING, SUSPICIOUS, parse, parse_each

LINE = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus."


def test_a_plain_line_gives_code_address_process_and_detail() -> None:
    assert parse(LINE) == FaultLine(
        kind="xid",
        code=79,
        pci="0000:3b:00",
        pid=1234,
        process="python3",
        detail="GPU has fallen off the bus.",
    )


@pytest.mark.parametrize(
    "prefix",
    [
        "[ 1843.308145] ",
        "[Fri Mar  3 04:44:24 2023] ",
        "kernel: ",
        "kernel: [16450076.435595] ",
        "Mar  3 04:44:24 node-7 kernel: ",
        "Mar  3 04:44:24 node-7 kernel: [  12.000001] ",
        "2025-01-21T04:41:44,283302+00:00 ",
        "2025-01-21T04:41:44.283302+0000 node-7 kernel: ",
        "<3>",
        "<3>[6085126.134786] ",
        "<3>1 2026-03-01T02:00:00Z node-7 kernel - - - ",
        "kern  :err   : [Fri Mar  3 04:44:25 2023] ",
        "4,1227,10215678,-;",
        "4,1227,10215678,c,1,-;",
        "2026-03-01T02:00:00Z stdout F ",
        "driver-1  | ",
        "I0303 04:44:24.123456       1 watcher.go:33] ",
        "cpu23:2099)",
        "[drm] ",
        "\t",
        "\ufeff",
    ],
)
def test_any_prefix_leaves_the_fault_as_it_is(prefix: str) -> None:
    assert parse(prefix + LINE) == parse(LINE)


@pytest.mark.parametrize("suffix", ["\n", "\r\n", " ", "\t", "\n SUBSYSTEM=pci\n DEVICE=+pci:0"])
def test_what_follows_the_line_is_no_part_of_it(suffix: str) -> None:
    assert parse(LINE + suffix) == parse(LINE)


@pytest.mark.parametrize(
    ("address", "pci"),
    [
        ("PCI:0000:3B:00", "0000:3b:00"),
        ("PCI:0000:3b:00.0", "0000:3b:00.0"),
        ("PCI:00000000:3B:00.0", "00000000:3b:00.0"),
        ("PCI:10000:e1:00", "10000:e1:00"),
        ("0000:03:00", "0000:03:00"),
        ("0001:00", "0001:00"),
        ("01:00", "01:00"),
        (" pci: 0000:3b:00 ", "0000:3b:00"),
    ],
)
def test_every_way_to_write_an_address_is_read(address: str, pci: str) -> None:
    assert parse(f"NVRM: Xid ({address}): 31").pci == pci


@pytest.mark.parametrize(
    ("inside", "instances"),
    [
        ("PCI:0000:3b:00 GPU-I:05", (5, None)),
        ("PCI:0000:3b:00 GPU-I:01 GPU-CI:02", (1, 2)),
        ("PCI:0000:3b:00, GPU-I:01, GPU-CI:02", (1, 2)),
        ("PCI:0000:3b:00 SOMETHING:new", (None, None)),
    ],
)
def test_mig_instances_stand_inside_the_parentheses(
    inside: str, instances: tuple[int | None, int | None]
) -> None:
    fault = parse(f"NVRM: Xid ({inside}): 13, pid=9, name=a, Graphics Exception")

    assert (fault.code, fault.gpu_instance, fault.compute_instance) == (13, *instances)


@pytest.mark.parametrize(
    ("rest", "pid", "process", "detail"),
    [
        (", pid='<unknown>', name=<unknown>, Row", None, None, "Row"),
        (", pid=<unknown>, name='<unknown>', Row", None, None, "Row"),
        (", pid=XXX", None, None, None),
        (", pid=12", 12, None, None),
        (", pid=", None, None, None),
        (", pid=12, name=", 12, None, None),
        (", pid=99999999999, x", None, None, "x"),
        (", pid=1, name=nvc:[driver], Ch 1", 1, "nvc:[driver]", "Ch 1"),
        (", pid=1, name=ray::WorkerDict, Ch 1", 1, "ray::WorkerDict", "Ch 1"),
        (", pid=1, name=Isaac Sim, Ch 1", 1, "Isaac Sim", "Ch 1"),
        (", pid=1, name=a,b, Ch 1", 1, "a,b", "Ch 1"),
        (", pid=1, name=train.3", 1, "train.3", None),
        (", name=solo, Ch 1", None, "solo", "Ch 1"),
        (", pid=1582259 Recommended Action=RESET", 1582259, None, "Recommended Action=RESET"),
        (", pid=1, name=kit Recommended Action=RESET", 1, "kit", None),
        (", pid=1, name=a=b, Ch 1", 1, "a=b", "Ch 1"),
        (", Channel 00000001", None, None, "Channel 00000001"),
        (", ", None, None, None),
        ("", None, None, None),
    ],
)
def test_pid_and_process_are_read_where_the_kernel_knows_them(
    rest: str, pid: int | None, process: str | None, detail: str | None
) -> None:
    fault = parse(f"NVRM: Xid (PCI:0000:3b:00): 31{rest}")

    assert (fault.code, fault.pid, fault.process, fault.detail) == (31, pid, process, detail)


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (
            "NETIR_LINK_EVT  Fatal   XC0 i0 Link 08 (0x004505c6 0x00000000 0x00000000)",
            ("NETIR_LINK_EVT", True, False, False, 8, "0x004505c6", "0x00000000"),
        ),
        (
            "NETIR Fatal XC0 i0 Link -1 (0x000fe406",
            ("NETIR", True, False, False, -1, "0x000fe406", None),
        ),
        (
            "NETIR_LINK_EVT Fatal XC 1 i 2 Link 01 [0x0000000a]",
            ("NETIR_LINK_EVT", True, True, True, 1, "0x0000000a", None),
        ),
        (
            "TLW_RX/TLW_RX_PIPE0 Nonfatal XC 00 i 00 Link 02 (0x5, 0x1)",
            ("TLW_RX/TLW_RX_PIPE0", False, False, False, 2, "0x5", "0x1"),
        ),
        (
            "MSE Degraded Fatal XC0 i0 Link 00 (0xDEADBEEF 0x0000",
            ("MSE Degraded", True, False, False, 0, "0xdeadbeef", None),
        ),
        ("RLW_CTRL Non-fatal XC1 i0 Link 3", ("RLW_CTRL", False, True, False, 3, None, None)),
        ("RLW_SRC_TRACK Nonfatal XC1 i0", (None, None, None, None, None, None, None)),
    ],
)
def test_nvlink5_reports_are_taken_apart(says: str, expected: tuple[object, ...]) -> None:
    fault = parse(f"NVRM: Xid (PCI:0000:3b:00): 149, pid=4, name=a, {says}")

    assert (
        fault.nvlink_unit,
        fault.nvlink_fatal,
        fault.cross_contained,
        fault.injected,
        fault.link,
        fault.intr_info,
        fault.error_status,
    ) == expected


@pytest.mark.parametrize(
    ("says", "change"),
    [
        ("changed from 0x0 (None) to 0x2 (Node Reboot Required)", (0, 2)),
        ("changed from 0x0 (None) to 0x2 (OS Reboot)", (0, 2)),
        ("changed from 0x2 (OS Reboot) to 0x0 (None)", (2, 0)),
        ("changed from 0x4 (Drain and Reset) to", (4, None)),
        ("changed to 0x1F", (None, 31)),
        ("changed", (None, None)),
    ],
)
def test_recovery_actions_are_read_by_number(
    says: str, change: tuple[int | None, int | None]
) -> None:
    fault = parse(f"NVRM: Xid (PCI:0000:3b:00): 154, GPU recovery action {says}")

    assert (fault.recovery_from, fault.recovery_to) == change


def test_reset_wishes_and_causes_are_read() -> None:
    contained = parse(
        "NVRM: Xid (PCI:0000:01:00): 94, pid=7, Contained: CE (0x9). RST: No, D-RST: Yes"
    )
    removed = parse(
        "NVRM: Xid (PCI:0000:01:00): 45, pid=7, name=a, Ch 1, caused by previous Xid 31"
    )
    linked = parse(
        "NVRM: Xid (PCI:0000:01:00): 74, NVLink: fatal error detected on link 14(0x0, 0x0)"
    )

    assert (contained.rst, contained.drst) == (False, True)
    assert removed.caused_by == 31
    assert linked.link == 14


@pytest.mark.parametrize(
    ("says", "word"),
    [
        ("Fatal, Link 48 LTSSM Fault Up", (True, 48)),
        ("Non-fatal, Link 32 egress non-posted PRIV error (First)", (False, 32)),
        ("Non-fatal error", (None, None)),
        ("Non-fatal, Li", (None, None)),
        ("Severity 1 Engine instance 60 Sub-engine instance 00", (None, None)),
        ("Data {0x10000000, 0x10000000}", (None, None)),
        ("SOE HALT data[0] = 0x               0", (None, None)),
    ],
)
def test_sxids_say_fatal_only_together_with_a_link(
    says: str, word: tuple[bool | None, int | None]
) -> None:
    fault = parse(f"[1.0] nvidia-nvswitch2: SXid (PCI:0000:07:00.0): 20034, {says}")

    assert (fault.kind, fault.code, fault.pci, fault.nvswitch) == (
        "sxid",
        20034,
        "0000:07:00.0",
        2,
    )
    assert (fault.fatal, fault.link, fault.detail) == (*word, says)


def test_an_sxid_needs_no_switch_number() -> None:
    assert parse("SXid (PCI:0000:07:00.0): 22013, Non-fatal, Link 1 x").nvswitch is None


@pytest.mark.parametrize(
    ("text", "pci"),
    [
        ("NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.", "0000:3b:00.0"),
        ("NVRM: GPU at PCI:0000:03:00 has fallen off the bus.", "0000:03:00"),
        ("[1.0] NVRM: fallen off the bus and is not responding to commands.", None),
        ("nvidia 0000:3b:00.0: GPU has fallen off the bus", "0000:3b:00.0"),
        (
            (
                "[1] NVRM: The NVIDIA GPU 0000:B3:00.0\n[1] NVRM: (PCI ID: 10de:26b5) installed in "
                "this system has\n[1] NVRM: fallen off the bus and is not responding to commands."
            ),
            "0000:b3:00.0",
        ),
        (
            (
                "3,1,2,-;NVRM: The NVIDIA GPU 0000:b3:00.0\\x0aNVRM: (PCI ID: 10de:26b5) "
                "installed in this system has\\x0aNVRM: fallen off the bus and is not responding."
            ),
            "0000:b3:00.0",
        ),
        (
            (
                "04:44:24 NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:2204)\nNVRM: "
                "installed in this system has fallen off the bus and\nNVRM: is not responding."
            ),
            "0000:01:00.0",
        ),
        ("NVRM: Xid (PCI:bad): 79, GPU has fallen off the bus.", None),
    ],
)
def test_a_gpu_is_lost_without_an_xid(text: str, pci: str | None) -> None:
    fault = parse(text)

    assert (fault.kind, fault.code, fault.pci) == ("lost", None, pci)


def test_an_xid_that_says_the_bus_is_an_xid() -> None:
    assert parse(f"{LINE}\nNVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.").kind == "xid"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "usb 1-1: new high-speed USB device number 3 using xhci_hcd",
        'audit: user ran: dmesg | grep "NVRM: Xid" | tail -5',
        "audit: grep -E -i 'NVRM: Xid (PCI:0000:3b:00): 79' /var/log/syslog",
        "sudo: COMMAND=/usr/bin/echo NVRM: Xid (PCI:0000:3b:00): 79, x",
        'sh: echo "<3>NVRM: Xid (PCI:0000:3b:00): 79, x" > /dev/kmsg',
        "sh: echo 'nvidia-nvswitch3: SXid (PCI:0000:05:00.0): 12028, x'",
        "sh: grep 'NVRM: Xid (PCI:0000' log",
        'sh: grep "NVRM: .* fallen off the bus"',
        "systemd[1]: Started gpu-xid-watcher.service - Watches for NVRM Xid lines.",
        "python[4242]: retrying after Xid 79 reported by upstream",
        'DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-0",device="nvidia0"} 79',
        "vmiop_log: (0x0): XID 43 detected on physical_chid:0x1c",
        "mlx5_core 0000:18:00.0: device has fallen off the bus",
        "the GPU has fallen off the bus\nNVRM: something else",
        "XNVRM: Xid 79",
        "[ 1843.308145] NVRM: The NVIDIA GPU 0000:b3:00.0",
        '{"log": "nothing", "MESSAGE": [1, 2]}',
        '{"MESSAGE": [300, 1]}',
        '{"MESSAGE": []}',
    ],
)
def test_near_misses_are_nothing(line: str) -> None:
    assert parse(line) is NOTHING


@pytest.mark.parametrize(
    "line",
    [
        "NVRM: Xid",
        "NVRM: Xid: 31",
        "NVRM: Xid 79 on GPU 0",
        "NVRM: Xid (invalid): some error",
        "NVRM: Xid (PCI:0000:65:00)",
        "NVRM: Xid (PCI:0000:65:00): invalid",
        "NVRM: Xid (PCI:0000:65:00): 99999, unknown error",
        "NVRM: Xid (PCI:0000:65:00): 79abc",
        "NVRM: Xid (PCI:0000:65:00): -1",
        "NVRM: Xid (PCI:0000:65",
        "kernel: Xid (PCI:0000:65:00): 79",
        "nvidia-nvswitch0: SXid (PCI:0000:00:00.0): xyz, Fatal error",
        "nvidia-nvswitch0: SXid (invalid): some error",
        "nvidia-nvswitch0: SXid (PCI:0000:00:00.0): 123456, Fatal",
        '{"log": "NVRM: Xid (PCI:0000:65:00): invalid\\n"}',
    ],
)
def test_lines_that_look_like_a_fault_and_do_not_parse_are_suspicious(line: str) -> None:
    assert parse(line) is SUSPICIOUS


@pytest.mark.parametrize("key", ["log", "message", "MESSAGE", "msg"])
def test_json_carries_a_line_under_any_key(key: str) -> None:
    document = {"date": 1772331600.25, "stream": "stderr", key: f"[1.0] {LINE}\n"}

    assert parse(json.dumps(document)) == parse(LINE)


@pytest.mark.parametrize(
    "text",
    [
        '{"log":"NVRM: Xid (PCI:0000:3b:00): 79, pid=\'\\u003cunknown\\u003e\', name=a, Gone"}',
        '[1715000000.1, {"message":"NVRM: Xid (PCI:0000:3b:00): 79, name=a, Gone"}]',
        json.dumps(
            {"log": json.dumps({"MESSAGE": "NVRM: Xid (PCI:0000:3b:00): 79, name=a, Gone"})}
        ),
        json.dumps({"a": [{"b": "NVRM: Xid (PCI:0000:3b:00): 79, name=a, Gone"}], "c": "d"}),
        json.dumps({"MESSAGE": list(b"NVRM: Xid (PCI:0000:3b:00): 79, name=a, Gone")}),
        'stdout F {not json} {"log":"NVRM: Xid (PCI:0000:3b:00): 79, name=a, Gone"} tail',
        '{"log":"NVRM: Xid (PCI:0000:3b:00): 79, name=a, Gone\\n","stream":"std',
        '{"log":"NVRM: Xid (PCI:0000:3b:00): 79, name=a, Gone","stream":"std',
        '{"log":"NVRM: Xid (PCI:0000:3b:00): 79, pid=\'\\u003cunknown\\u003e\', name=a, Gone","s',
        'level=error msg="NVRM: Xid (PCI:0000:3b:00): 79, name=a, Gone" node=7',
        "\x1b[33mNVRM: \x1b[0m\x1b[31mXid (PCI:0000:3b:00): 79, name=a, Gone\x1b[0m",
        "#033[33mNVRM: #033[0mXid (PCI:0000:3b:00): 79, name=a, Gone#012",
        "4,1,2,-;NVRM: Xid (PCI:0000:3b:00): 79, name=a, Gone\\x0a",
    ],
)
def test_wrappings_are_taken_off(text: str) -> None:
    fault = parse(text)

    assert (fault.code, fault.process, fault.detail) == (79, "a", "Gone")


def test_an_sxid_ends_where_its_string_ends() -> None:
    text = '{"log":"nvidia-nvswitch1: SXid (PCI:0000:06:00.0): 20009, Non-fatal, Link 4 x","a":"b'

    assert parse(text).detail == "Non-fatal, Link 4 x"


def test_colours_are_no_part_of_what_a_line_says() -> None:
    text = "\x1b[31mnvidia-nvswitch1: SXid (PCI:0000:06:00.0): 26008, SOE Watchdog error\x1b[0m"

    assert parse(text).detail == "SOE Watchdog error"


def test_kmsg_escapes_are_text_again() -> None:
    fault = parse("4,1,2,-;NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=\\xc3\\xa9t\\xc3\\xa9, Gone")

    assert fault.process == "été"


@pytest.mark.parametrize("escaped", ['\\"', "\\/", "\\\\", "\\t", "\\n"])
def test_escapes_in_broken_json_do_no_harm(escaped: str) -> None:
    assert parse(f'"log":"NVRM: Xid (PCI:0000:3b:00): 79, a{escaped}').code == 79


def test_json_nested_too_deep_is_read_as_text() -> None:
    text = "{" * 5_000 + '"a":"' + LINE + '"'

    assert parse(text).code == 79


def test_several_faults_in_one_text_are_all_found() -> None:
    text = f"{LINE}\nnoise\nNVRM: Xid (PCI:0000:3b:00): 63, Row\nNVRM: Xid: 1"

    assert [fault.code for _, fault in parse_each(text)] == [79, 63]


def test_suspicions_count_only_where_nothing_better_is_found() -> None:
    assert parse_each("NVRM: Xid: 1\nnoise") == (("NVRM: Xid: 1", SUSPICIOUS),)
    assert parse_each("noise") == ()


def test_no_more_of_a_text_is_read_than_a_line_can_hold() -> None:
    assert parse(" " * LONGEST + LINE) is NOTHING
