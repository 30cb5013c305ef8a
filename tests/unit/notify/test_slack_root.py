import json
from typing import Any

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Cause, Incident
from reflexarc.events.page import Entry, Member, Story
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity
from reflexarc.notify import extent, slack_root
from samples.standins.block_kit import ALL, problems
from tests.support.notices import NOW, at, incident, member, page, story
from tests.unit.notify.slack_texts import texts

LINE = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus."
SINCE = "<!date^1772513064^{date_short_pretty} {time_secs}|2026-03-03 04:44:24 UTC>"
LAST = "<!date^1772513073^{date_short_pretty} {time_secs}|2026-03-03 04:44:33 UTC>"
BUTTONS = "[Ack] [Silence 1 h] [Resolve] [Not a fault]"


def lost_gpu(**fields: Any) -> Incident:
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
    return incident(**(facts | fields))


def shown(about: Story, latency_ms: int | None = 84) -> list[str]:
    return texts(slack_root.render(about, latency_ms))


def of_one(*, latency_ms: int | None = 84, **lead: Any) -> list[str]:
    return shown(story(lead=lost_gpu(**lead)), latency_ms)


def spread(nodes: int, gpus: int, **fields: Any) -> tuple[Member, ...]:
    """Return members on so many nodes, from node-1 on; the lead is none of them."""
    return tuple(
        member(gpu, f"node-{node}", **fields)
        for node in range(1, nodes + 1)
        for gpu in range(1, gpus + 1)
    )


def test_a_page_of_one_reads_what_where_do_since_whose_and_how_fast() -> None:
    about = story(lead=lost_gpu())

    assert shown(about) == [
        "🔴 XID 79: GPU has fallen off the bus · GPU 0000:3b:00 on node-7",
        "*Do:* Drain node-7 and power-cycle it.",
        "*Where*\n`node-7` GPU `0000:3b:00`\n`GPU-6a9b1c7e`",
        f"*Since*\n{SINCE}",
        "*Whose job*\n`train-llama` (`4711`) of alice in `ml`",
        "*Who acts*\non-call",
        f"*Seen*\n4 times, last {LAST}",
        "*Also found*\n`xid/48` 3 times",
        "The driver can no longer reach the GPU.",
        f"```{LINE}```",
        BUTTONS,
        "kernel line to this page: 84 ms · critical `xid/79` · `rack=r12` · page "
        + about.page.key[:8],
    ]


def test_a_finding_reads_as_what_was_measured_and_whose_work_it_was() -> None:
    job = Job(
        id="4711", name="train", owner="alice", workload="llama", rank="3", nodes="n[1-4]",
        ended=True,
    )  # fmt: skip

    read = of_one(
        entity=Entity(kind="gpu", node="node-7", device="0000:3b:00", aspect="thermal"),
        cause="thermal/near-limit",
        title="GPU is close to its slowdown temperature",
        severity=Severity.WARNING,
        evidence=("margin 3 C for 60 s at 87 C",),
        labels={"rack": "r12", "aspect": "thermal", "rule": "thermal/near-limit"},
        job=job,
    )

    assert read[0] == "🟠 GPU is close to its slowdown temperature · GPU 0000:3b:00 on node-7"
    assert (
        "*Whose job*\n`train` (`4711`) of alice of workload `llama` (rank 3, nodes n[1-4], ended)"
    ) in read
    assert "```margin 3 C for 60 s at 87 C```" in read
    assert read[-1].startswith("reading to this page: 84 ms · warning `thermal/near-limit` · `rack")


def test_eight_gpus_of_a_node_are_one_page_that_names_them() -> None:
    lead = incident(1, "node-1")

    read = shown(story(*spread(1, 8)[1:], lead=lead, by={"node": "node-1"}))

    assert read[0] == "🔴 XID 79: GPU has fallen off the bus · 8 GPUs of node-1"
    assert "*Where*\n8 GPUs of node-1, `node=node-1`" in read
    assert "*Seen*\n8 times" in read
    assert ("`node-1` 8 GPUs: 01:00 02:00 03:00 04:00 05:00 06:00 07:00 08:00") in read


def test_a_storm_is_counted_and_names_ten_nodes_and_where_the_others_are() -> None:
    storm = story(*spread(625, 8)[1:], lead=incident(1, "node-1"), by={"rack": "r12"})

    message = slack_root.render(storm, 84)

    assert message["text"] == (
        "🔴 CRITICAL: XID 79: GPU has fallen off the bus · 5,000 GPUs of 625 nodes"
        " · Drain the node."
    )
    assert "*Do, on each node:* Drain the node." in texts(message)
    named = next(text for text in texts(message) if text.startswith("`node-1` 8 GPUs, `node-2`"))
    assert named.endswith("`node-10` 8 GPUs, *615 more: see the thread*")
    assert not slack_root.names_all(extent.of(storm))


def test_what_is_repaired_and_what_only_follows_is_told() -> None:
    members = [
        member(2, state="resolved"),
        member(3, role="consequence", cause="xid/45"),
        member(4, role="echo", cause="xid/74"),
    ]

    read = shown(story(*members))

    assert read[1] == (
        "*Do:* Drain the node.\n↳ with 1 consequence, 1 echo of a dead peer\n🔧 1 of 4 repaired"
    )
    assert "*Also found*\n`xid/45` on 1, `xid/74` on 1" in read
    assert "`node-7` 3 of 4 GPUs: 01:00 03:00 04:00" in read


def test_more_causes_than_fit_are_counted() -> None:
    members = [member(n, cause=f"xid/{n}") for n in range(2, 10)]

    assert any(text.endswith("`xid/6` on 1, and 3 more") for text in shown(story(*members)))


def test_jobs_of_a_page_are_named_once_and_then_counted() -> None:
    jobs = [
        Job(id="1", name="train", owner="alice"),
        Job(id="2", name="train", owner="alice"),
        Job(id="3", name="serve"),
        Job(owner="bob"),
        Job(namespace="ml"),
    ]

    read = shown(story(*(member(n, job=job) for n, job in enumerate(jobs, 2))))

    assert "*Whose jobs*\n`train` of alice, `serve`, 2 more" in read


def test_the_newest_news_stand_on_the_page() -> None:
    history = (
        Entry(number=1, at=NOW, what="opened"),
        Entry(number=2, at=at(5), what="severity rose from warning to critical", loud=True),
        Entry(number=3, at=at(9), what="silenced until 05:44", by="alice"),
        Entry(number=4, at=at(30), what="acknowledged", by="operator"),
    )

    read = shown(story(state="acked", history=history))[1].splitlines()

    assert read[1].startswith("👀 *Acknowledged* by operator <!date^1772513094^")
    assert read[2].startswith("📣 severity rose from warning to critical <!date^1772513069^")
    assert read[3].startswith("🕓 silenced until 05:44 (alice) <!date^1772513073^")
    assert len(read) == 4


def test_an_acknowledged_page_says_so_first() -> None:
    message = slack_root.render(story(state="acked"), 84)

    assert message["text"].startswith("👀 Acked: XID 79")
    assert texts(message)[0].startswith("👀 Acked: XID 79")


def test_a_resolve_says_so_at_once_and_strikes_the_instruction() -> None:
    ended = lost_gpu(state="resolved", resolved_at=at(754))
    about = page(lead=ended, state="resolved", resolved_at=at(754), acked_by="bob")

    read = shown(story(about=about))

    assert read[0].startswith("✅ Resolved: XID 79")
    assert "after 12 min 34 s. Nothing left to do.\n" in read[1]
    assert read[1].endswith("👀 Acknowledged by bob\n~Drain node-7 and power-cycle it.~")
    assert "The driver can no longer reach the GPU." not in read
    assert BUTTONS not in read


def test_a_page_that_a_person_resolved_says_what_is_still_broken() -> None:
    read = shown(story(member(2), state="resolved", resolved_by="alice"))

    assert read[1].endswith("after 1 min by alice. 1 not known to be repaired.")


def test_a_persons_word_is_not_told_as_a_repair() -> None:
    ended = lost_gpu(state="resolved", resolved_at=at(60))
    other = member(2, state="resolved", resolved_at=at(59))

    read = shown(story(other, lead=ended, state="resolved", resolved_by="alice"))

    assert read[1].endswith("by alice. No repair was seen: if it goes on, it pages anew.")
    assert any(said.endswith("2 GPUs ended") for said in read)
    assert not any("repaired" in said for said in read)


def test_a_resolve_without_instruction_or_time_still_reads() -> None:
    ended = incident(state="resolved", action="")

    read = shown(story(lead=ended, state="resolved", resolved_at=None, resolved_by=""))

    assert read[1].endswith("after 0 ms. Nothing left to do.")


def test_caveats_stand_out() -> None:
    read = of_one(marks=("may be the echo of a dead peer",), clock_skew_s=7_380.0)

    assert (
        "⚠️ may be the echo of a dead peer · "
        "the node's clock is 2 h 3 min ahead: times shown are ours"
    ) in read


def test_what_is_not_known_is_not_shown() -> None:
    lead = incident(action="", severity=Severity.WARNING, entity=Entity(kind="fabric"))

    read = shown(story(lead=lead), None)

    assert read[0] == "🟠 XID 79: GPU has fallen off the bus · NVLink fabric"
    assert read[1] == "*Do:* No known remedy: look at the evidence below."
    assert read[2] == "*Where*\nNVLink fabric"
    assert read[4] == "*Whose job*\nnone known"
    assert read[6] == "*Seen*\nonce"
    assert read[-1].startswith("warning `xid/79`")


def test_a_job_is_named_by_what_is_known_of_it() -> None:
    assert "*Whose job*\n`4711`" in of_one(job=Job(id="4711"))
    assert "*Whose job*\n`train` of bob" in of_one(job=Job(name="train", owner="bob"))


def test_many_causes_are_counted_not_listed() -> None:
    causes = tuple(
        Cause(cause=f"xid/{n}", title="", severity="info", count=1, first_at=NOW, last_at=NOW)
        for n in range(1, 9)
    )

    read = of_one(causes=causes, other_causes=5)

    assert any(text.endswith("`xid/5` once, and 8 more") for text in read)


def test_a_later_generation_is_named() -> None:
    assert shown(story(generation=3))[-1].endswith("generation 3")


def test_a_page_that_may_be_closing_reads_as_before() -> None:
    assert shown(story(state="closing")) == shown(story())


def test_a_hostile_node_name_mentions_nobody() -> None:
    name = "<!channel> <@U012AB3CD> `rm -rf` \u202eevil\n*" + "x" * 10_000
    message = slack_root.render(story(lead=incident(entity=Entity(kind="gpu", node=name))), 84)

    sent = json.dumps(message, ensure_ascii=False)
    assert "<!channel>" not in sent
    assert "<@" not in sent
    assert "\u202e" not in sent
    assert not problems(message["blocks"])


def test_metadata_finds_the_message_again_and_says_what_it_told() -> None:
    about = story(member(2), history=(Entry(number=1, at=NOW, what="opened"),))

    metadata = slack_root.render(about, 84)["metadata"]

    digest = metadata["event_payload"].pop("digest")
    assert len(digest) == 16
    assert metadata == {
        "event_type": "reflexarc_incident",
        "event_payload": {
            "key": about.page.key,
            "part": "root",
            "version": 1,
            "severity": "critical",
            "state": "open",
            "said": 1,
            "shared": True,
            "latency_ms": 84,
        },
    }


def test_plain_text_holds_all_that_matters() -> None:
    assert slack_root.plain(story(lead=lost_gpu()), 84) == (
        "🔴 CRITICAL: XID 79: GPU has fallen off the bus · GPU 0000:3b:00 on node-7"
        " · Drain node-7 and power-cycle it.\n"
        "Since 2026-03-03 04:44:24 UTC, seen 4 times.\n"
        "Job: train-llama 4711 alice.\n"
        "For: on-call.\n"
        f"{LINE}\n"
        "kernel line to this page: 84 ms"
    )


def test_plain_text_of_many_names_the_worst_nodes() -> None:
    said = slack_root.plain(story(member(2)), 84)

    assert "\n`node-7` 2 GPUs\n" in said


def test_plain_text_of_a_resolve_says_resolved() -> None:
    assert slack_root.plain(story(state="resolved"), None).startswith("✅ Resolved: ")


def test_the_longest_hostile_page_stays_under_the_limit_of_all_blocks() -> None:
    worst = '"\\' * 5_000
    cause = Cause(
        cause=worst, title=worst, severity="info", count=10**12, first_at=NOW, last_at=NOW
    )
    job = Job(id=worst, name=worst, owner=worst, namespace=worst)
    lead = incident(
        title=worst,
        meaning=worst,
        action=worst,
        marks=(worst,),
        evidence=(worst,) * 5,
        labels={f"{n}{worst}": worst for n in range(20)},
        job=job,
        owner="job",
        entity=Entity(kind="nvswitch", node=worst, device=worst, uuid=worst),
        causes=(cause.model_copy(update={"cause": f"{n}{worst}"}) for n in range(20)),
        count=10**12,
        clock_skew_s=-1e300,
    )
    others = [
        member(
            entity=Entity(kind=kind, node=f"{n}{worst}", device=f"{d}{worst}"),
            job=job.model_copy(update={"id": f"{n}{worst}"}),
            cause=f"{n}{worst}",
        )
        for n in range(9)
        for kind in ("gpu", "nvswitch", "port", "node")
        for d in range(20)
    ]
    history = tuple(
        Entry(number=n, at=at(n), what=worst, by=worst, loud=n < 3) for n in range(1, 5)
    )
    about: dict[str, Any] = {
        "lead": lead,
        "history": history,
        "by": {f"{n}{worst}": worst for n in range(20)},
        "state": "acked",
        "acked_by": worst,
    }

    for told in (story(**about), story(*others, **about)):
        blocks = slack_root.render(told, 84)["blocks"]
        assert len(json.dumps(blocks, ensure_ascii=False)) < ALL
        assert not problems(blocks)
