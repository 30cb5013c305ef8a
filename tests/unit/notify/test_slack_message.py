import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Cause
from reflexarc.events.notice import Action, Notice
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity
from reflexarc.notify import slack_message
from samples.standins.block_kit import ALL, problems, too_long
from tests.support.notices import NOW, at, notice, notices

LINE = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus."
LAST = "<!date^1772513073^{date_short_pretty} {time_secs}|2026-03-03 04:44:33 UTC>"
DATE = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time_secs\}\|[^<>|]+>")


def texts(sent: Notice, latency_ms: int | None = 84) -> list[str]:
    found: list[str] = []
    for block in slack_message.render(sent, latency_ms)["blocks"]:
        parts = [block["text"]] if "text" in block else block.get("fields", block.get("elements"))
        found += [part["text"] for part in parts]
    return found


def lost_gpu(kind: Action = "trigger", /, **fields: Any) -> Notice:
    cause: dict[str, Any] = {"severity": "critical", "count": 3, "first_at": NOW, "last_at": NOW}
    facts: dict[str, Any] = {
        "entity": Entity(kind="gpu", node="node-7", device="0000:3b:00", uuid="GPU-6a9b1c7e"),
        "meaning": "The driver can no longer reach the GPU.",
        "action": "Drain node-7 and power-cycle it.",
        "job": Job(id="4711", name="train-llama", owner="alice", namespace="ml"),
        "labels": {"rack": "r12", "node": "node-7", "xid": "79"},
        "evidence": (LINE,),
        "count": 4,
        "last_at": at(9),
        "causes": (
            Cause(cause="xid/79", title="lost", **cause),
            Cause(cause="xid/48", title="double-bit error", **cause),
        ),
    }
    return notice(kind, **(facts | fields))


def test_a_page_reads_what_where_do_since_whose_and_how_fast() -> None:
    assert texts(lost_gpu()) == [
        "🔴 XID 79: GPU has fallen off the bus · GPU 0000:3b:00 on node-7",
        "*Do:* Drain node-7 and power-cycle it.",
        "*Where*\n`node-7` GPU `0000:3b:00`\n`GPU-6a9b1c7e`",
        "*Since*\n<!date^1772513064^{date_short_pretty} {time_secs}|2026-03-03 04:44:24 UTC>",
        "*Whose job*\n`train-llama` (`4711`) of alice in `ml`",
        "*Who acts*\non-call",
        f"*Seen*\n4 times, last {LAST}",
        "*Also found*\n`xid/48` 3 times",
        "The driver can no longer reach the GPU.",
        f"```{LINE}```",
        "kernel line to this page: 84 ms · critical `xid/79` · `rack=r12` · incident "
        + lost_gpu().incident.key[:8],
    ]


def test_a_finding_reads_as_what_was_measured_and_whose_work_it_was() -> None:
    job = Job(
        id="4711", name="train", owner="alice", workload="llama", rank="3", nodes="n[1-4]",
        ended=True,
    )  # fmt: skip
    hot = notice(
        entity=Entity(kind="gpu", node="node-7", device="0000:3b:00", aspect="thermal"),
        cause="thermal/near-limit",
        title="GPU is close to its slowdown temperature",
        severity=Severity.WARNING,
        evidence=("margin 3 C for 60 s at 87 C",),
        labels={"rack": "r12", "aspect": "thermal", "rule": "thermal/near-limit"},
        job=job,
    )

    shown = texts(hot)

    assert shown[0] == ("🟠 GPU is close to its slowdown temperature · GPU 0000:3b:00 on node-7")
    job_field = (
        "*Whose job*\n`train` (`4711`) of alice of workload `llama` (rank 3, nodes n[1-4], ended)"
    )
    assert job_field in shown
    assert "```margin 3 C for 60 s at 87 C```" in shown
    assert shown[-1].startswith(
        "reading to this page: 84 ms · warning `thermal/near-limit` · `rack"
    )


def test_a_resolve_says_so_at_once_and_strikes_the_instruction() -> None:
    shown = texts(lost_gpu("resolve", state="resolved", resolved_at=at(754)))

    assert shown[0].startswith("✅ Resolved: XID 79")
    assert "after 12 min 34 s. Nothing left to do.\n~Drain node-7 and power-cycle it.~" in shown[1]
    assert "The driver can no longer reach the GPU." not in shown


def test_a_resolve_without_instruction_or_time_still_reads() -> None:
    shown = texts(notice("resolve", action="", resolved_at=None))

    assert shown[1].endswith("after 0 ms. Nothing left to do.")


def test_caveats_stand_out() -> None:
    shown = texts(lost_gpu(marks=("may be the echo of a dead peer",), clock_skew_s=7_380.0))

    assert (
        "⚠️ may be the echo of a dead peer · "
        "the node's clock is 2 h 3 min ahead: times shown are ours"
    ) in shown


def test_what_is_not_known_is_not_shown() -> None:
    shown = texts(notice(action="", severity=Severity.WARNING, entity=Entity(kind="fabric")), None)

    assert shown[0] == "🟠 XID 79: GPU has fallen off the bus · NVLink fabric"
    assert shown[1] == "*Do:* No known remedy: look at the evidence below."
    assert shown[2] == "*Where*\nNVLink fabric"
    assert shown[4] == "*Whose job*\nnone known"
    assert shown[6] == "*Seen*\nonce"
    assert shown[-1].startswith("warning `xid/79`")


def test_a_job_is_named_by_what_is_known_of_it() -> None:
    assert "*Whose job*\n`4711`" in texts(notice(job=Job(id="4711")))
    assert "*Whose job*\n`train` of bob" in texts(notice(job=Job(name="train", owner="bob")))


def test_many_causes_are_counted_not_listed() -> None:
    causes = tuple(
        Cause(cause=f"xid/{n}", title="", severity="info", count=1, first_at=NOW, last_at=NOW)
        for n in range(1, 9)
    )

    shown = texts(notice(causes=causes, other_causes=5))

    assert any(text.endswith("`xid/5` once, and 8 more") for text in shown)


def test_a_later_generation_is_named() -> None:
    assert texts(notice(generation=3))[-1].endswith("generation 3")


def test_a_hostile_node_name_mentions_nobody() -> None:
    name = "<!channel> <@U012AB3CD> `rm -rf` \u202eevil\n*" + "x" * 10_000
    message = slack_message.render(notice(entity=Entity(kind="gpu", node=name)), 84)

    sent = json.dumps(message, ensure_ascii=False)
    assert "<!channel>" not in sent
    assert "<@" not in sent
    assert "\u202e" not in sent
    assert not problems(message["blocks"])


def test_metadata_finds_the_message_again() -> None:
    sent = notice()

    assert slack_message.render(sent, 84)["metadata"] == {
        "event_type": "reflexarc_incident",
        "event_payload": {
            "key": sent.incident.key,
            "version": 1,
            "severity": "critical",
            "latency_ms": 84,
        },
    }


def test_plain_text_holds_all_that_matters() -> None:
    message = slack_message.plain(lost_gpu(), 84)

    assert message["blocks"] == []
    assert message["text"] == (
        "🔴 CRITICAL: XID 79: GPU has fallen off the bus · GPU 0000:3b:00 on node-7"
        " · Drain node-7 and power-cycle it.\n"
        "Since 2026-03-03 04:44:24 UTC, seen 4 times.\n"
        "Job: train-llama 4711 alice.\n"
        "For: on-call.\n"
        f"{LINE}\n"
        "kernel line to this page: 84 ms"
    )


def test_plain_text_of_a_resolve_says_resolved() -> None:
    assert slack_message.plain(notice("resolve"), None)["text"].startswith("✅ Resolved: ")


def test_the_longest_hostile_incident_stays_under_the_limit_of_all_blocks() -> None:
    worst = '"\\' * 5_000
    cause = Cause(
        cause=worst, title=worst, severity="info", count=10**12, first_at=NOW, last_at=NOW
    )
    sent = notice(
        "trigger",
        title=worst,
        meaning=worst,
        action=worst,
        marks=(worst,),
        evidence=(worst,) * 5,
        labels={f"{n}{worst}": worst for n in range(20)},
        job=Job(id=worst, name=worst, owner=worst, namespace=worst),
        owner="job",
        entity=Entity(kind="nvswitch", node=worst, device=worst, uuid=worst),
        causes=(cause.model_copy(update={"cause": f"{n}{worst}"}) for n in range(20)),
        count=10**12,
        clock_skew_s=-1e300,
    )

    blocks = slack_message.render(sent, 84)["blocks"]

    assert len(json.dumps(blocks, ensure_ascii=False)) < ALL


@settings(max_examples=50, deadline=None)
@given(notices, st.none() | st.integers(min_value=0, max_value=10**12))
def test_slack_takes_the_message_about_any_incident(sent: Notice, latency_ms: int | None) -> None:
    message = slack_message.render(sent, latency_ms)

    assert problems(message["blocks"]) == []
    assert not too_long(message["blocks"])
    assert 0 < len(message["text"]) < 4_000
    assert 0 < len(slack_message.plain(sent, latency_ms)["text"]) < 4_000
    for text in (*texts(sent, latency_ms), message["text"]):
        assert "<" not in DATE.sub("", text)
