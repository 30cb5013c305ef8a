import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import reflexarc.gpu
from reflexarc.events.delivery import Delivery
from reflexarc.events.gpu_faults import Finding, Job
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Signal
from reflexarc.gpu.config import GpuPolicy, Override, RuleOverride
from reflexarc.gpu.findings import SECOND_WITNESS, entity_of, judge_finding, known_rule
from reflexarc.gpu.messages import Batch, read
from reflexarc.gpu.signals import signals_of
from reflexarc.kernel.errors import Rejected
from reflexarc.kernel.ids import ulid

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
XID = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus."
DATA = json.loads((Path(reflexarc.gpu.__file__).parent / "data" / "findings.json").read_text())


def finding(rule: str = "thermal/near-limit", **more: Any) -> Finding:
    facts: dict[str, Any] = {
        "aspect": "thermal",
        "device": "0000:3b:00",
        "severity": "warning",
        "says": "margin 3 C for 60 s at 87 C",
        "observed_at": AT,
    }
    return Finding(rule=rule, **(facts | more))


def body(**changed: Any) -> dict[str, Any]:
    return {
        "schema": "gpu_faults/1",
        "id": ulid(AT, b"0123456789"),
        "sent_at": AT.isoformat(),
        "source": {"node": "node-7", "boot_id": "boot-a", "labels": {"rack": "r12"}},
        "seq": 3,
        "findings": [finding().model_dump(mode="json")],
        **changed,
    }


def batch(message: dict[str, Any]) -> Batch:
    found = read(
        Delivery(message_id="m-1", body=json.dumps(message), sender="role:i-1", queued_at=AT)
    )
    assert found is not None
    return found


def signals(message: dict[str, Any]) -> tuple[Signal, ...]:
    delivery = Delivery(message_id="m", body="", sender="", queued_at=AT)
    return signals_of(batch(message), delivery, GpuPolicy(), AT)


def test_a_finding_becomes_a_signal_of_its_aspect_with_labels_job_and_evidence() -> None:
    job = Job(id="4711", owner="ada", workload="llama", rank="3")
    hot = finding(gpu_uuid="GPU-1", job=job, process="python3")

    (signal,) = signals(body(findings=[hot.model_dump(mode="json")]))

    assert (signal.kind, signal.cause, signal.severity) == (
        "fire", "thermal/near-limit", Severity.WARNING,
    )  # fmt: skip
    assert signal.entity == Entity(
        kind="gpu", node="node-7", device="0000:3b:00", uuid="GPU-1", aspect="thermal"
    )
    assert signal.labels == {
        "node": "node-7", "gpu": "0000:3b:00", "rule": "thermal/near-limit", "aspect": "thermal",
        "process": "python3", "owner": "oncall", "rack": "r12",
    }  # fmt: skip
    assert signal.evidence == ("margin 3 C for 60 s at 87 C",)
    assert signal.job == job
    assert signal.order is not None
    assert (signal.order.boot_id, signal.order.seq) == ("boot-a", 3)


def test_faults_come_before_findings_and_both_share_the_message() -> None:
    message = body(faults=[{"line": XID, "observed_at": AT.isoformat()}])

    first, second = signals(message)

    assert (first.cause, second.cause) == ("xid/79", "thermal/near-limit")
    assert first.id == second.id
    assert first.labels["rack"] == "r12"


def test_a_cleared_finding_ends_the_incident_of_its_aspect() -> None:
    raised, cleared = signals(
        body(
            findings=[
                finding().model_dump(mode="json"),
                finding(state="cleared").model_dump(mode="json"),
            ]
        )
    )

    assert cleared.kind == "clear"
    assert cleared.entity.fingerprint == raised.entity.fingerprint
    assert cleared.title == "Temperatures are well within their limits again"


@pytest.mark.parametrize("rule", [raw["rule"] for raw in DATA["rules"]])
def test_every_rule_of_the_data_has_a_verdict_and_a_word_for_its_end(rule: str) -> None:
    known = known_rule(rule)
    assert known is not None
    aspect = known["aspect"]

    verdict = judge_finding(finding(rule, aspect=aspect, severity="info"))
    end = judge_finding(finding(rule, aspect=aspect, state="cleared"))

    assert (verdict.title, verdict.severity) == (known["title"], Severity.INFO)
    assert "{" not in verdict.action
    assert set(known["refs"]) <= set(DATA["sources"])
    assert end.clears
    assert end.title == DATA["wells"][aspect]


def test_every_source_is_cited() -> None:
    assert {ref for raw in DATA["rules"] for ref in raw["refs"]} == set(DATA["sources"])


@pytest.mark.parametrize(("given", "shown"), [("info", "warning"), ("critical", "critical")])
def test_an_unknown_rule_is_shown_and_at_least_a_warning(given: str, shown: str) -> None:
    verdict = judge_finding(finding("cosmic/rays", severity=given))

    assert verdict.severity == shown
    assert verdict.title == "cosmic/rays: a rule that this version does not know"


def test_the_end_of_an_unknown_aspect_is_told_in_plain_words() -> None:
    verdict = judge_finding(finding("cosmic/rays", aspect="cosmic", state="cleared"))

    assert verdict.title == "What was found holds no longer"


def test_an_xid_of_a_second_witness_joins_the_incident_of_the_kernels_line() -> None:
    seen = finding("xid/79", aspect="", device="00000000:3B:00.0", values={"gpu_instance": 2.0})
    message = body(
        faults=[{"line": XID, "observed_at": AT.isoformat()}],
        findings=[seen.model_dump(mode="json")],
    )

    line, witness = signals(message)

    assert witness.entity.fingerprint == line.entity.fingerprint
    assert (witness.cause, witness.severity) == (line.cause, line.severity)
    assert SECOND_WITNESS in witness.marks
    assert witness.labels["xid"] == "79"
    assert witness.title.endswith("(MIG instance 2)")


@pytest.mark.parametrize("code", range(200))
def test_every_xid_without_its_line_has_a_verdict(code: int) -> None:
    assert judge_finding(finding(f"xid/{code}", aspect="")).title


def test_an_sxid_is_of_the_switch() -> None:
    seen = finding("sxid/20034", aspect="", kind="nvswitch", device="0000:05:00")

    assert judge_finding(seen).cause == "sxid/20034"
    assert entity_of(seen, "n") == Entity(kind="nvswitch", node="n", device="0000:05:00")


def test_a_recovery_to_nothing_is_an_all_clear() -> None:
    over = finding("xid/154", aspect="", values={"recovery_to": 0})
    asks = finding("xid/154", aspect="", values={"recovery_to": 2})

    assert judge_finding(over).clears
    assert judge_finding(asks).severity is Severity.CRITICAL
    assert judge_finding(finding("xid/154", values={"recovery_to": float("nan")})).severity is (
        Severity.WARNING
    )


def test_a_lost_gpu_says_that_no_xid_was_seen_and_is_the_gpu_itself() -> None:
    lost = finding("gpu/lost", aspect="", severity="critical")

    assert judge_finding(lost).marks == ("no Xid was seen",)
    assert entity_of(lost, "n") == Entity(kind="gpu", node="n", device="0000:3b:00")


@pytest.mark.parametrize(
    ("kind", "device", "expected"),
    [
        ("port", "mlx5_0/1", "mlx5_0/1"),
        ("node", "", ""),
        ("gpu", "", "unknown"),
        ("gpu", "zz:zz:zz", "zz:zz:zz"),
        ("gpu", "00000000:3B:00.0", "0000:3b:00"),
    ],
)
def test_a_device_is_spelt_as_everywhere_and_nonsense_does_no_harm(
    kind: Any, device: str, expected: str
) -> None:
    assert entity_of(finding(kind=kind, device=device), "n").device == expected


def test_a_finding_of_a_node_keeps_the_nodes_name_as_its_label() -> None:
    cooling = finding("thermal/cooling", kind="node", device="")

    (signal,) = signals(body(findings=[cooling.model_dump(mode="json")]))

    assert signal.labels["node"] == "node-7"


def test_the_last_wish_about_a_rule_overrules_the_node() -> None:
    policy = GpuPolicy(
        rules=(
            RuleOverride(rule="thermal/near-limit", severity=Severity.INFO),
            RuleOverride(
                rule="thermal/near-limit", severity=Severity.CRITICAL, owner="job", action="Run."
            ),
            RuleOverride(rule="power/brake"),
        ),
        overrides=(Override(code=79, severity=Severity.INFO),),
    )

    hot = judge_finding(finding(), policy)
    brake = judge_finding(finding("power/brake", severity="warning"), policy)
    lost = judge_finding(finding("xid/79"), policy)
    end = judge_finding(finding(state="cleared"), policy)

    assert (hot.severity, hot.owner, hot.action) == (Severity.CRITICAL, "job", "Run.")
    assert (brake.severity, brake.owner) == (Severity.WARNING, "oncall")
    assert lost.severity is Severity.INFO
    assert end.clears


def test_the_longest_name_that_fits_has_the_price() -> None:
    policy = GpuPolicy(hourly_usd={"H100": Decimal("2.5"), "H100 NVL": Decimal(3)})

    assert policy.price_of("NVIDIA H100 80GB HBM3") == Decimal("2.5")
    assert policy.price_of("NVIDIA H100 NVL") == Decimal(3)
    assert policy.price_of("NVIDIA L4") is None
    assert policy.price_of("") is None


def test_a_bad_finding_among_good_ones_is_kept_and_read_as_far_as_possible() -> None:
    good = finding().model_dump(mode="json")
    bad = {"rule": "power/brake", "device": "0000:5d:00", "severity": "grave", "says": 7,
           "message": "held 10 s", "aspect": "power"}  # fmt: skip

    found = batch(body(findings=[good, bad, {"rule": "NOT A RULE"}]))

    assert [each.rule for each in found.findings] == ["thermal/near-limit", "power/brake"]
    salvaged = found.findings[1]
    assert (salvaged.severity, salvaged.says) == (Severity.WARNING, "held 10 s")
    assert (salvaged.observed_at, salvaged.device) == (AT, "0000:5d:00")
    assert found.unread is not None
    assert "finding 2 of 3" in found.unread.reason
    assert json.loads(found.unread.body)["findings"] == [bad, {"rule": "NOT A RULE"}]


def test_a_damaged_all_clear_clears_nothing() -> None:
    damaged = {"rule": "power/brake", "state": "cleared", "says": "well"}

    found = batch(body(findings=[finding().model_dump(mode="json"), damaged]))

    assert [each.state for each in found.findings] == ["raised"]


def test_only_bad_findings_reject_the_message() -> None:
    with pytest.raises(Rejected, match="finding 1 of 1"):
        batch(body(findings=[{"rule": 7}]))


def test_a_list_that_is_none_is_said_and_the_other_one_is_used() -> None:
    found = batch(body(faults=7))

    assert len(found.findings) == 1
    assert found.unread is not None
    assert found.unread.reason == "faults is no list"
    assert json.loads(found.unread.body)["faults"] == 7


def test_findings_of_another_version_are_read_wherever_they_stand() -> None:
    newer = finding().model_dump(mode="json") | {"severity": "fatal", "aspect": 4, "kind": "rack"}
    message = body(schema="gpu_faults/2", findings=None, news={"list": [[newer]]})

    (found,) = batch(message).findings

    assert (found.rule, found.aspect, found.kind) == ("thermal/near-limit", "", "gpu")
    assert found.observed_at == AT
    assert "version 2" in batch(message).marks[0]


def test_a_finding_that_speaks_of_an_xid_is_not_taken_for_a_kernel_line_as_well() -> None:
    seen = finding("xid/79", aspect="", says=XID).model_dump(mode="json")

    found = batch(body(schema="gpu_faults/2", findings=[seen]))

    assert (len(found.findings), len(found.reports)) == (1, 0)


def test_a_flood_of_findings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reflexarc.gpu.salvage.FAULTS_MAX", 2)
    many = [finding().model_dump(mode="json")] * 5

    assert len(batch(body(schema="gpu_faults/2", findings=many)).findings) == 2
