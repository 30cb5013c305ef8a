import pytest

from reflexarc.events.gpu_faults import Job
from reflexarc.events.severity import Severity
from reflexarc.gpu.config import GpuPolicy, Override
from reflexarc.gpu.model import FaultLine, Verdict
from reflexarc.gpu.parse import parse
from reflexarc.gpu.rules import judge

CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO


def xid(code: int, rest: str = "pid=9, name=python3, x", inside: str = "") -> Verdict:
    return judge(parse(f"NVRM: Xid (PCI:0000:3b:00{inside}): {code}, {rest}"))


def sxid(code: int, says: str) -> Verdict:
    return judge(parse(f"nvidia-nvswitch1: SXid (PCI:0000:06:00.0): {code}, {says}"))


@pytest.mark.parametrize(
    "code", [79, 48, 64, 95, 119, 120, 140, 143, 62, 46, 110, 158, 167, 169, 150, 74, 109]
)
def test_what_takes_a_gpu_down_pages_the_on_call(code: int) -> None:
    verdict = xid(code)

    assert (verdict.severity, verdict.owner, verdict.clears) == (CRITICAL, "oncall", False)


@pytest.mark.parametrize("code", [94, 63, 92, 156, 160])
def test_what_schedules_a_reset_warns(code: int) -> None:
    verdict = xid(code)

    assert verdict.severity is WARNING
    assert "reset" in verdict.action


@pytest.mark.parametrize("code", [13, 31, 69, 137])
def test_a_jobs_own_fault_goes_to_its_owner(code: int) -> None:
    verdict = xid(code)

    assert (verdict.severity, verdict.owner) == (WARNING, "job")
    assert verdict.action.startswith("Tell the job's owner")


@pytest.mark.parametrize("code", [43, 45])
def test_consequences_never_page_alone(code: int) -> None:
    assert xid(code).severity is INFO


def test_a_consequence_names_its_cause() -> None:
    verdict = xid(45, "pid=9, name=a, Ch 1, caused by previous Xid 48")
    odd = xid(45, "pid=9, name=a, Ch 1, caused by previous Xid 9999")

    assert "caused by the earlier Xid 48 (uncorrectable (double-bit) ECC error)" in verdict.marks
    assert "caused by the earlier Xid 9999" in odd.marks


def test_caveats_go_with_the_alert() -> None:
    assert "may be the echo of a dead peer GPU" in xid(74).marks
    assert "the application may be the cause" in xid(109).marks


def test_titles_say_where() -> None:
    link = xid(74, "NVLink: fatal error detected on link 14(0x0)")

    assert xid(79).title == "Xid 79: GPU has fallen off the bus"
    assert link.title == "Xid 74: NVLink fault on link 14"
    assert xid(13, inside=" GPU-I:02 GPU-CI:00").title.endswith("(MIG instance 2/0)")
    assert xid(13, inside=" GPU-I:02").title.endswith("(MIG instance 2)")


def test_instructions_name_the_gpu_as_nvidia_smi_takes_it() -> None:
    with_function = judge(parse("NVRM: Xid (PCI:0000:3b:00.4): 48"))

    assert "--gpu-reset -i 0000:3b:00.0)" in xid(48).action
    assert "--gpu-reset -i 0000:3b:00.4)" in with_function.action
    assert "-i <GPU>)" in judge(FaultLine(kind="xid", code=48)).action


def test_unknown_codes_warn_and_say_so() -> None:
    verdict = xid(999, "pid=5, name=<unknown>, future driver detail")

    assert (verdict.severity, verdict.cause) == (WARNING, "xid/999")
    assert "not in the catalogue" in verdict.title
    assert "future driver detail" in verdict.meaning
    assert "It says" not in judge(parse("NVRM: Xid (PCI:0000:3b:00): 999")).meaning


@pytest.mark.parametrize(
    ("number", "severity", "word"),
    [
        ("0x1 (PF FLR)", CRITICAL, "GPU reset required"),
        ("0x2 (OS Reboot)", CRITICAL, "node reboot required"),
        ("0x4 (Drain and Reset)", CRITICAL, "drain and reset"),
        ("0x7 (x)", CRITICAL, "system reboot required"),
        ("0x9 (Something)", CRITICAL, "unknown action 0x9"),
        ("what", WARNING, "unreadable"),
    ],
)
def test_the_drivers_own_decision_becomes_the_action(
    number: str, severity: Severity, word: str
) -> None:
    verdict = xid(154, f"GPU recovery action changed from 0x0 (None) to {number}")

    assert verdict.severity is severity
    assert word in verdict.title
    assert not verdict.clears


def test_a_change_to_none_clears() -> None:
    line = "NVRM: Xid (PCI:0000:3b:00): 154, changed from 0x1 (PF FLR) to 0x0 (None)"
    policy = GpuPolicy(overrides=(Override(code=154, severity=CRITICAL),))

    verdict = judge(parse(line), policy)

    assert verdict.clears
    assert verdict.severity is INFO


def test_the_drivers_wish_for_a_reset_is_the_action() -> None:
    now = xid(94, "Contained: CE (0x9). RST: Yes, D-RST: No")
    later = xid(94, "Contained: CE (0x9). RST: No, D-RST: Yes")
    none = xid(94, "Contained: CE (0x9). RST: No, D-RST: No")
    lost = xid(95, "Uncontained: LTC TAG (0x2). RST: Yes, D-RST: No")

    assert now.action.startswith("Drain the node and reset the GPU")
    assert any("RST: Yes" in mark for mark in now.marks)
    assert later.action.startswith("Take no new work on this GPU")
    assert none.action.startswith("Restart the killed job")
    assert any("no reset" in mark for mark in none.marks)
    assert lost.action.startswith("Stop every job on the GPU")


@pytest.mark.parametrize(
    ("line", "severity", "title", "action"),
    [
        (
            "149, NETIR_LINK_EVT  Fatal   XC0 i0 Link 08 (0x004505c6 0x00000000)",
            CRITICAL,
            "Xid 149: NVLink 5 link 8 is down (NETIR_LINK_EVT, fatal)",
            "Afterwards: check the link's signal quality.",
        ),
        (
            "149, NETIR Fatal XC0 i0 Link -1 (0x000fe406 0x00000000)",
            CRITICAL,
            "Xid 149: NVLink 5 link report (NETIR, fatal)",
            "reset the GPU",
        ),
        (
            "149, NETIR_BER_EVENT Nonfatal XC0 i0 Link 03 (0x00086226 0x00000001)",
            WARNING,
            "Xid 149: NVLink 5 link report (NETIR_BER_EVENT, link 3, nonfatal)",
            "No action now. Afterwards: check the link's signal quality and cables.",
        ),
        (
            "145, RLW_SRC_TRACK Nonfatal XC1 i0 Link 17 (0x04084507 0x00000004)",
            WARNING,
            "Xid 145: NVLink 5 RLW report (RLW_SRC_TRACK, link 17, nonfatal)",
            "Wait for the Xid 154 that follows",
        ),
        (
            "145, RLW_REMAP Nonfatal XC0 i0 Link 00 (0x00000004 0x00000100)",
            INFO,
            "Xid 145: NVLink 5 RLW report (RLW_REMAP, link 0, nonfatal)",
            "No action now.",
        ),
        (
            "147, TREX Nonfatal XC0 i0 Link 00 (0x0000000e 0x00000001)",
            INFO,
            "Xid 147: NVLink 5 TREX report (TREX, link 0, nonfatal)",
            "Afterwards: contact support.",
        ),
        (
            "145, RLW_SRC_TRACK Nonfatal XC1 i0",
            WARNING,
            "Xid 145: NVLink 5 RLW report (nonfatal)",
            "No action now.",
        ),
        (
            "148, NVLPW_CTRL Fatal XC0 i0 Link 05",
            CRITICAL,
            "Xid 148: NVLink 5 wrapper report (NVLPW_CTRL, link 5, fatal)",
            "reset the GPU",
        ),
        ("149", CRITICAL, "Xid 149: NVLink 5 link report", "reset the GPU"),
        ("145", WARNING, "Xid 145: NVLink 5 RLW report", "No action now."),
    ],
)
def test_nvlink5_reports_go_by_the_word_then_by_nvidias_table(
    line: str, severity: Severity, title: str, action: str
) -> None:
    verdict = judge(parse(f"NVRM: Xid (PCI:0000:04:00): {line}"))

    assert (verdict.severity, verdict.title) == (severity, title)
    assert action in verdict.action


def test_a_link_down_report_tells_its_reason() -> None:
    verdict = xid(149, "NETIR_LINK_EVT Fatal XC0 i0 Link 08 (0x021425c6 0x00000000)")

    assert "Link-down reason 33." in verdict.meaning
    assert "reason" not in xid(149, "NETIR_BER_EVENT Nonfatal XC0 i0 Link 3 (0x1 0x1)").meaning


def test_nvlink5_caveats_are_told() -> None:
    injected = xid(145, "RLW_REMAP Nonfatal XC1 i1 Link 10 (0x00000004 0x00000040)")
    promoted = xid(145, "RLW_RXPIPE Nonfatal XC0 i0 Link 00 (0x00000086 0x00000001)")

    assert "injected for a test" in injected.marks
    assert any("table calls this report fatal" in mark for mark in injected.marks)
    assert any("promoted" in mark for mark in promoted.marks)
    assert "reset the GPU" in promoted.action


@pytest.mark.parametrize(
    ("code", "says", "severity", "action"),
    [
        (20034, "Fatal, Link 48 LTSSM Fault Up", CRITICAL, "reset its GPUs and switches"),
        (20034, "Severity 1 Engine instance 48 Sub-engine instance 00", CRITICAL, "reset its GPUs"),
        (20034, "Severity 0 Engine instance 48 Sub-engine instance 00", WARNING, "No action now"),
        (20034, "Data {0x10000000}", INFO, ""),
        (12028, "Non-fatal, Link 32 egress non-posted PRIV error", WARNING, "No action now"),
        (12028, "Fatal, Link 32 egress non-posted PRIV error", CRITICAL, "reset its GPUs"),
        (24007, "Non-fatal, Link 28 sourcetrack timeout error", WARNING, "No action now"),
        (20009, "Non-fatal, Li", WARNING, "reseat"),
        (22013, "Non-fatal, Link 57 Minion Link DLREQ interrupt", INFO, "Nothing to do"),
        (26008, "SOE Watchdog error", CRITICAL, "reset its GPUs"),
        (11012, "something", INFO, "Nothing to do"),
        (99999, "Some error", WARNING, "No action now"),
        (99999, "Fatal, Link 1 Some error", CRITICAL, "reset its GPUs"),
        (99999, "Non-fatal, Link 1 Some error", WARNING, "No action now"),
    ],
)
def test_sxids_go_by_the_word_on_the_line_then_by_the_catalogue(
    code: int, says: str, severity: Severity, action: str
) -> None:
    verdict = sxid(code, says)

    assert verdict.severity is severity
    assert action in verdict.action
    assert verdict.cause == f"sxid/{code}"


def test_an_sxids_alert_tells_what_the_line_says() -> None:
    verdict = sxid(20034, "Fatal, Link 48 LTSSM Fault Up")
    bare = judge(parse("nvidia-nvswitch1: SXid (PCI:0000:06:00.0): 20034"))

    assert verdict.title == (
        "SXid 20034: the link dropped out of its active state (link 48, fatal)"
    )
    assert "The line says: Fatal, Link 48 LTSSM Fault Up" in verdict.meaning
    assert "GPUs on this link may report Xid 74 as an echo" in verdict.marks
    assert "The line says" not in bare.meaning


def test_a_secondary_line_is_marked() -> None:
    assert any("secondary line" in mark for mark in sxid(20034, "Data {0x1}").marks)


def test_a_lost_gpu_pages_as_79_does() -> None:
    verdict = judge(parse("NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus."))

    assert (verdict.severity, verdict.cause) == (CRITICAL, "gpu/lost")
    assert verdict.action == xid(79).action


def test_a_line_that_cannot_be_read_warns() -> None:
    verdict = judge(parse("NVRM: Xid (PCI:0000:3b"))

    assert (verdict.severity, verdict.cause) == (WARNING, "kernel/unparsed")


@pytest.mark.parametrize(
    ("rest", "process", "mark"),
    [
        ("pid=9, name=python3, x", None, "the process was python3 (pid 9)"),
        ("pid=9, x", None, "the process was pid 9"),
        ("pid=9, name=python3, x", "train.py", "the process was train.py (pid 9)"),
        ("name=python3, x", None, "the process was python3"),
        ("x", None, "whose job this was is unknown"),
    ],
)
def test_a_job_that_nobody_named_is_described(rest: str, process: str | None, mark: str) -> None:
    fault = parse(f"NVRM: Xid (PCI:0000:3b:00): 31, {rest}")

    assert judge(fault, process=process).marks[-1].endswith(mark)


def test_a_job_that_is_known_needs_no_description() -> None:
    fault = parse("NVRM: Xid (PCI:0000:3b:00): 31, pid=9, name=python3, x")

    assert judge(fault, job=Job(id="4711")).marks == ()
    assert judge(fault, job=Job(owner="ada")).marks == ()
    assert judge(fault, job=Job(name="only a name")).marks != ()


def test_a_fleet_may_judge_a_code_differently() -> None:
    policy = GpuPolicy(
        overrides=(
            Override(code=63, severity=INFO),
            Override(code=63, severity=CRITICAL, action="Call the vault.", owner="job"),
            Override(kind="sxid", code=12028, severity=INFO),
        )
    )

    row = judge(parse("NVRM: Xid (PCI:0000:3b:00): 63, pid=1, name=a, Row"), policy)
    switch = judge(
        parse("nvidia-nvswitch1: SXid (PCI:0000:06:00.0): 12028, Non-fatal, Link 1 x"), policy
    )
    other = judge(parse("NVRM: Xid (PCI:0000:3b:00): 64"), policy)

    assert (row.severity, row.action, row.owner) == (CRITICAL, "Call the vault.", "job")
    assert "whose job" in row.marks[-1]
    assert switch.severity is INFO
    assert switch.action
    assert other.severity is CRITICAL


def test_an_override_that_says_nothing_changes_nothing() -> None:
    fault = parse("NVRM: Xid (PCI:0000:3b:00): 63")

    assert judge(fault, GpuPolicy(overrides=(Override(code=63),))) == judge(fault)
