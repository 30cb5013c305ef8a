import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reflexarc.cli.xid import xid_app

XID = "[1.0] NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus."
BASE = ("line", "kind", "code", "pci", "pid", "process")


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")


def run(*args: str, given: bytes = b"") -> tuple[int, str]:
    result = CliRunner().invoke(xid_app, list(args), input=given)
    return result.exit_code, result.output


def parsed(given: bytes, *args: str) -> list[dict[str, Any]]:
    code, output = run("parse", *args, given=given)
    assert code == 0
    return [json.loads(line) for line in output.splitlines()]


def test_parse_answers_each_line_with_one_object() -> None:
    answers = parsed(f"noise\n\n{XID}\r\nNVRM: Xid (PCI:0000\n".encode())

    assert [answer["kind"] for answer in answers] == ["none", "none", "xid", "none"]
    assert [answer["suspicious"] for answer in answers] == [False, False, False, True]
    assert [tuple(answer)[:6] for answer in answers] == [BASE] * 4
    assert answers[0] == {"line": "noise", "kind": "none", "suspicious": False} | dict.fromkeys(
        answers[0].keys() - {"line", "kind", "suspicious"}
    )
    assert answers[2]["line"] == f"{XID}\r"
    assert (answers[2]["code"], answers[2]["pid"], answers[2]["process"]) == (79, 1234, "python3")


def test_parse_needs_no_newline_at_the_end_and_no_utf8() -> None:
    (answer,) = parsed(b"NVRM: Xid (PCI:0000:3b:00): 31, pid=1, name=\xff\xfe, x")

    assert (answer["code"], answer["process"]) == (31, "\ufffd\ufffd")


def test_parse_reads_standard_input_by_its_usual_name() -> None:
    assert parsed(XID.encode(), "-")[0]["code"] == 79


def test_parse_reads_a_file(tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_text(f"{XID}\n")

    assert parsed(b"", str(log))[0]["code"] == 79


def test_parse_says_which_file_is_missing() -> None:
    code, output = run("parse", "/does/not/exist")

    assert code == 2
    assert "/does/not/exist" in output


def test_the_line_that_completes_a_lost_event_has_its_address() -> None:
    lines = (
        "NVRM: The NVIDIA GPU 0000:b3:00.0",
        "NVRM: (PCI ID: 10de:26b5) installed in this system has",
        "NVRM: fallen off the bus and is not responding to commands.",
    )

    answers = parsed("\n".join(lines).encode())

    assert [(answer["kind"], answer["pci"]) for answer in answers] == [
        ("none", None),
        ("none", None),
        ("lost", "0000:b3:00.0"),
    ]
    assert tuple(answer["line"] for answer in answers) == lines


def explained(*args: str) -> tuple[int, dict[str, Any]]:
    code, output = run("explain", *args, "--json")
    facts: dict[str, Any] = json.loads(output)
    return code, facts


def test_explain_tells_what_a_tired_operator_needs() -> None:
    code, output = run("explain", "79")

    assert code == 0
    words = " ".join(output.replace("│", " ").split())
    assert "Xid 79 GPU has fallen off the bus" in words
    assert "What happens critical: pages now" in words
    assert "Who hears it the on-call" in words
    assert "What to do Drain the node and reboot it" in words
    assert "Likely fault of the hardware" in words
    assert "EKS node monitoring agent node condition, replaces the node" in words
    assert "https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html\n" in output


def test_explain_names_the_jobs_owner() -> None:
    _, output = run("explain", "31")

    assert "the job's owner" in output
    assert "the job's own code" in output


def test_explain_lists_the_recovery_actions_of_154() -> None:
    code, facts = explained("154")
    _, output = run("explain", "154")

    assert code == 0
    assert [action["code"] for action in facts["recovery_actions"]] == [
        f"0x{number}" for number in range(8)
    ]
    assert "PF FLR" in output
    assert "(not seen yet)" in output


def test_explain_shows_nvidias_table_of_nvlink5() -> None:
    _, facts = explained("149")
    _, output = run("explain", "149")

    assert len(facts["nvlink5_rules"]) == 31
    assert facts["nvlink5_rules"][2]["link_down_reason"] == 1
    assert "reason 2, 4, 10" in " ".join(output.split())
    assert "any" in output


def test_explain_knows_what_else_is_known() -> None:
    _, old = explained("16")
    _, marker = explained("0")
    _, named = explained("175")
    _, maybe = explained("109")

    assert "Old: current drivers leave this number unused." in old["caveats"]
    assert marker["nvidia"] is None
    assert "Only its name is public." in named["caveats"]
    assert maybe["likely_fault"].endswith("the job's own code is possible")


def test_explain_shows_as_much_as_nvidia_says() -> None:
    _, nothing = run("explain", "0")
    _, little = run("explain", "1")

    assert "nothing published" in nothing
    assert "at first: contact support" in little
    assert "then:" not in little


def test_explain_knows_sxids() -> None:
    code, facts = explained("20034", "--sxid")
    _, output = run("explain", "20034", "--sxid")
    _, quiet = run("explain", "10007", "--sxid")

    assert code == 0
    assert (facts["name"], facts["severity"]) == ("HW_DLPL_LTSSM_FAULT_UP", "critical")
    assert facts["nvidia"] == {"guide": "fatal", "driver": "fatal"}
    assert "SXid 20034" in output
    assert "guide: fatal; driver: fatal" in output
    assert "nothing published" in quiet


def test_explain_says_what_would_happen_to_an_unknown_code() -> None:
    code, output = run("explain", "999")
    json_code, facts = explained("99999", "--sxid")

    assert (code, json_code) == (1, 1)
    assert "not in the catalogue of this version" in output
    assert "warning" in output
    assert (facts["known"], facts["severity"]) == (False, "warning")


@pytest.mark.parametrize("wrong", [["--", "-1"], ["seventy-nine"], []])
def test_explain_refuses_what_is_no_code(wrong: list[str]) -> None:
    assert run("explain", *wrong)[0] == 2


def test_the_guides_commands_work() -> None:
    guide = Path(__file__).parents[3] / "docs" / "guides" / "xid.md"
    commands = re.findall(
        r"^\$ reflexarc xid explain (.+)$", guide.read_text("utf-8"), re.MULTILINE
    )

    assert len(commands) == 3
    assert {run("explain", *command.split())[0] for command in commands} == {0}


def test_the_guide_names_every_field() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "xid.md").read_text("utf-8")
    (answer,) = parsed(b"noise")

    assert [field for field in answer if f"`{field}`" not in guide] == []
