"""telemetry_rules from end to end in memory: what a message does, and what it does once."""

import json
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.adapters.memory.telemetry_rules import MemoryLedger
from reflexarc.events.gpu_faults import GpuFaults
from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.events.llm_spans import LlmSpans
from reflexarc.events.series import Series
from reflexarc.kernel.errors import RateLimited, Rejected, Unavailable
from reflexarc.telemetry.batches import JSON_MAX
from reflexarc.telemetry.errors import TooLarge
from reflexarc.telemetry.packing import packed, unpacked
from tests.support.otlp import NOW, gauge, logs, metrics, record, span, span_ids, traces
from tests.support.telemetry import Answer, Crash, DropEvery, World, batch, delivered

XID = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus."
SPANS = [span(number) for number in range(1, 11)]
PAYLOAD = traces(*SPANS)
BACKENDS: dict[str, Any] = {"backends": [{"name": "a", "endpoint": "https://a.example"}]}


def handed_in(world: World, payload: bytes, key: str = "inbox/traces/1.pb.zst") -> Any:
    """Return the message of a batch that ingest put into the bucket."""
    return batch(payload, pointer=world.objects.keep(key, packed(payload, "zstd")))


def written(world: World, key: str, body: bytes) -> str:
    """Return what S3 says of an object that a forwarder wrote."""
    world.objects.keep(key, body)
    found = {
        "eventTime": NOW.isoformat(),
        "userIdentity": {"principalId": "AWS:AROA:collector"},
        "s3": {
            "bucket": {"name": "telemetry"},
            "object": {"key": key, "size": len(body), "eTag": "e", "sequencer": "1"},
        },
    }
    return json.dumps({"Records": [found]})


def test_a_batch_is_archived_before_any_rule_as_it_came() -> None:
    world = World(rules=DropEvery(2))
    message = batch(PAYLOAD, encoding="gzip")

    world.react(delivered(message))

    ((key, (body, facts)),) = world.archive.kept.items()
    assert key == f"archive/traces/dt=2026-11-24/hour=03/{message.id}.pb.gz"
    assert body == packed(PAYLOAD, "gzip")
    assert facts == {
        "items": "10",
        "size": str(len(PAYLOAD)),
        "rules-version": "3",
        "redacted": "0",
    }


def test_what_came_unpacked_is_archived_as_zstd() -> None:
    world = World()

    world.react(delivered(batch(PAYLOAD, encoding="identity")))

    ((key, (body, _)),) = world.archive.kept.items()
    assert key.endswith(".pb.zst")
    assert unpacked(body, "zstd") == PAYLOAD


def test_nothing_leaves_before_it_was_redacted() -> None:
    secret = "alice@example.com"
    line = f"NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name={secret}, GPU has fallen off the bus."
    world = World(forwarding=BACKENDS)

    world.react(
        delivered(batch(logs(record(line), resource={"host.name": "node-7"}), "logs")),
        delivered(batch(traces(span(1, user=secret)))),
    )

    archived = [unpacked(body, "zstd") for body, _ in world.archive.kept.values()]
    left = [*archived, *(post.payload for post in world.backends.posts)]
    left += [body.encode() for sent in world.others.sent.values() for body, _ in sent]
    assert len(left) == 5
    assert not [each for each in left if secret.encode() in each]
    assert world.tally("logs").numbers["redacted.email"] == 1
    facts = [facts["redacted"] for _, facts in world.archive.kept.values()]
    assert facts == ["1", "1"]


def test_a_batch_without_an_archive_is_not_kept() -> None:
    world = World(forwarding={"archive": False})

    world.react(delivered(batch(PAYLOAD)))

    assert world.archive.kept == {}
    assert world.tally().numbers["received"] == 10


def test_what_was_handed_in_by_the_bucket_goes_when_it_is_accounted_for() -> None:
    world = World(forwarding=BACKENDS)
    message = handed_in(world, PAYLOAD)

    world.react(delivered(message))

    assert world.objects.kept == {}
    assert set(world.backends.spans("a")) == span_ids(PAYLOAD)


def test_an_object_that_is_not_what_the_pointer_says_is_kept_aside() -> None:
    world = World()
    message = handed_in(world, PAYLOAD)
    world.objects.kept["inbox/traces/1.pb.zst"] = packed(traces(span(666)), "zstd")

    (outcome,) = world.react(delivered(message))

    assert outcome.status == "rejected"
    assert "not the object that was sent" in world.letters.kept[0][1]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("traces_x.binpb", PAYLOAD),
        ("traces_x.binpb.gz", zlib.compress(PAYLOAD, wbits=31)),
        ("traces_x.binpb.zst", packed(PAYLOAD, "zstd")),
    ],
)
def test_what_a_forwarder_writes_in_protobuf_is_a_batch(name: str, body: bytes) -> None:
    world = World(forwarding=BACKENDS)
    told = written(world, f"inbox-direct/{name}", body)

    (outcome,) = world.react(delivered(told))

    assert outcome.status == "done"
    assert world.backends.posts[0].payload == PAYLOAD
    assert world.objects.kept == {}


def test_what_a_forwarder_writes_in_json_is_a_batch() -> None:
    document = {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {"spans": [{"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "x"}]}
                ]
            }
        ]
    }
    world = World(forwarding=BACKENDS)
    body = zlib.compress(b" \n" + json.dumps(document).encode(), wbits=31)

    world.react(delivered(written(world, "inbox-direct/traces_x.json.gz", body)))

    assert world.backends.spans("a") == {((1).to_bytes(16), (1).to_bytes(8)): 1}


def test_json_that_would_take_too_much_memory_is_refused() -> None:
    world = World()
    body = packed(b"{" + b" " * JSON_MAX + b"}", "zstd")

    (outcome,) = world.react(delivered(written(world, "inbox-direct/logs_x.json", body)))

    assert (outcome.status, "write protobuf, or smaller batches" in outcome.reason) == (
        "rejected",
        True,
    )


def test_what_is_no_valid_telemetry_is_taken_away_and_told() -> None:
    short = span(2)
    short.trace_id = b"short"
    world = World(forwarding=BACKENDS)

    (outcome,) = world.react(delivered(batch(traces(span(1), short))))

    assert outcome.status == "done"
    assert world.tally().numbers["received"] == 1
    assert "trace" in world.done[0].invalid
    assert len(world.backends.spans("a")) == 1


def test_what_ingest_looked_at_is_not_looked_at_again() -> None:
    short = span(2)
    short.trace_id = b"short"
    world = World(forwarding=BACKENDS)

    world.react(delivered(batch(traces(span(1), short)), relayed=True))

    assert world.tally().numbers["received"] == 2
    assert world.done[0].invalid == ""


def test_a_batch_of_which_nothing_is_valid_is_kept_aside() -> None:
    short = span(2)
    short.trace_id = b"short"
    world = World()

    (outcome,) = world.react(delivered(batch(traces(short))))

    assert outcome.status == "rejected"
    assert outcome.reason.startswith("nothing of the batch is valid")


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("nonsense", "not JSON"),
        (batch(b"\xff\xff not protobuf"), ""),
        (batch(PAYLOAD).model_copy(update={"encoding": "gzip"}), "not gzip"),
    ],
)
def test_what_can_never_succeed_is_kept_with_its_reason(message: Any, why: str) -> None:
    world = World()
    one = delivered(message)

    (outcome, good) = world.react(one, delivered(batch(PAYLOAD)))

    assert (outcome.status, good.status) == ("rejected", "done")
    assert world.letters.kept == [(one, outcome.reason)]
    assert why in outcome.reason


def test_a_dead_letter_that_cannot_be_kept_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(type(world.letters), "keep", failing)

    assert [each.status for each in world.react(delivered("nonsense"))] == ["retry"]


def failing(*_: object) -> None:
    raise Unavailable("no answer")


@pytest.mark.parametrize("port", ["objects", "archive", "others", "queue"])
def test_what_does_not_answer_is_waited_for(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(forwarding=BACKENDS)
    world.backends.answers["a"] = iter([Unavailable("down")] * 2)
    message = handed_in(world, logs(record(XID), resource={"host.name": "n"}))
    message = message.model_copy(update={"signal": "logs"})
    with monkeypatch.context() as trouble:
        method = {"objects": "read", "others": "send", "queue": "put"}.get(port, "keep")
        trouble.setattr(type(getattr(world, port)), method, failing)
        (outcome,) = world.react(delivered(message))

    assert (outcome.status, outcome.reason) == ("retry", "no answer")
    assert world.ledger.ids == {}
    (outcome,) = world.react(delivered(message, receives=2))
    assert outcome.status == "done"
    assert world.tally("logs").numbers["received"] == 1


def test_without_the_ledger_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(forwarding=BACKENDS)
    monkeypatch.setattr(MemoryLedger, "known", failing)

    outcomes = world.react(delivered(batch(PAYLOAD)), delivered("nonsense"))

    assert [each.status for each in outcomes] == ["retry", "retry"]
    assert world.backends.asked == []


def test_when_no_time_is_left_messages_come_back_untouched() -> None:
    world = World(hurried=True)

    (outcome,) = world.react(delivered("nonsense"))

    assert (outcome.status, outcome.reason) == ("retry", "no time was left in this invocation")
    assert world.letters.kept == []


def test_a_message_that_comes_again_is_not_sent_on_again() -> None:
    world = World(forwarding=BACKENDS)
    message = handed_in(world, PAYLOAD)
    world.react(delivered(message))
    world.objects.keep("inbox/traces/1.pb.zst", packed(PAYLOAD, "zstd"))

    (outcome,) = world.react(delivered(message, receives=2))

    assert (outcome.status, outcome.reason) == ("done", "accounted for before")
    assert world.backends.spans("a") == dict.fromkeys(span_ids(PAYLOAD), 1)
    assert world.tally().numbers["received"] == 10
    assert world.objects.kept == {}


def test_two_functions_with_one_message_count_it_once_and_say_what_went_twice() -> None:
    world = World(forwarding=BACKENDS, rules=DropEvery(2))
    message = delivered(batch(PAYLOAD))
    slow = world.made()
    known = slow.ledger.known
    both = [world.made(), slow]
    # Neither knows yet of the other.
    for each in both:
        object.__setattr__(each, "ledger", Blind(each.ledger))

    outcomes = [each.react([message])[0].status for each in both]

    assert (outcomes, len(known(["x"]))) == (["done", "done"], 0)
    tally = world.tally()
    assert (tally.numbers["received"], tally.balanced) == (10, True)
    assert tally.backends()["a"]["sent"] == 5
    assert tally.backends()["a"]["resent"] == 5
    assert set(world.backends.spans("a").values()) == {2}


@dataclass
class Blind:
    """A ledger that knew nothing when it was asked."""

    ledger: Any

    def known(self, ids: object) -> dict[str, frozenset[str]]:
        del ids
        return {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)


def test_metrics_are_shown_to_whoever_counts_their_values() -> None:
    world = World()
    message = batch(metrics(gauge("m", (1.0, {}))), "metrics")

    world.react(delivered(message), delivered(batch(PAYLOAD)))

    assert world.looked == [message.id]


def test_s3s_test_event_is_done_and_does_nothing() -> None:
    world = World()

    (outcome,) = world.react(delivered('{"Event": "s3:TestEvent"}'))

    assert (outcome.status, outcome.reason) == ("done", "")


# --- what others are given ---


def test_a_kernel_line_goes_to_the_faults_before_a_rule_drops_it() -> None:
    world = World(rules=DropEvery(1))
    payload = logs(record({"msg": XID}), resource={"host.name": "node-7"})

    world.react(delivered(batch(payload, "logs"), sender="AROA:fluent-bit"))

    ((body, sender),) = world.others.sent["gpu-faults"]
    message = GpuFaults.model_validate_json(body)
    assert (message.source.node, message.faults[0].line) == ("node-7", XID)
    assert sender == "AROA:fluent-bit"
    assert world.tally("logs").numbers["kept"] == 0
    assert world.done[0].handed_on == {"gpu-faults": 1}


def test_dcgm_metrics_go_to_the_readings() -> None:
    world = World()
    labels = {"pci_bus_id": "00000000:3B:00.0", "Hostname": "node-7"}

    world.react(delivered(batch(metrics(gauge("DCGM_FI_DEV_GPU_TEMP", (71.0, labels))), "metrics")))

    ((body, _),) = world.others.sent["gpu-readings"]
    assert GpuReadings.model_validate_json(body).source.node == "node-7"


@pytest.mark.parametrize(("sender", "heard"), [("token:node-*", True), ("token:other-*", False)])
def test_a_tokens_holder_tells_only_of_the_nodes_that_it_names(sender: str, heard: bool) -> None:  # noqa: FBT001 - a parameter of the test
    world = World(forwarding=BACKENDS)
    payload = logs(record(XID), resource={"host.name": "node-7"})

    world.react(delivered(batch(payload, "logs"), sender=sender))

    assert ("gpu-faults" in world.others.sent) is heard
    assert world.done[0].handed_on == {"gpu-faults" if heard else "not-heard": 1}
    assert len(world.backends.posts) == 1


def test_llm_spans_and_series_are_handed_on_where_the_document_says_so() -> None:
    world = World(forwarding={"hand_on": {"llm_spans": True, "series": ["train.loss"]}})
    call = traces(span(1, gen_ai__request__model="m"), span(2))

    world.react(
        delivered(batch(call)),
        delivered(batch(metrics(gauge("train.loss", (2.0, {}))), "metrics")),
    )

    ((spans, _),) = world.others.sent["llm-spans"]
    ((points, _),) = world.others.sent["series"]
    assert LlmSpans.model_validate_json(spans).items == 1
    assert Series.model_validate_json(points).points[0].value == 2.0


def test_nothing_is_handed_on_that_the_document_turns_off() -> None:
    off = {"kernel_lines": False, "gpu_metrics": False}
    world = World(forwarding={"hand_on": off})

    world.react(
        delivered(batch(logs(record(XID), resource={"host.name": "n"}), "logs")),
        delivered(batch(traces(span(1, gen_ai__request__model="m")))),
        delivered(batch(metrics(gauge("DCGM_FI_DEV_GPU_TEMP", (7.0, {}))), "metrics")),
    )

    assert world.others.sent == {}


# --- killed between any two steps ---


@dataclass
class Killer:
    """Kills the function at its n-th step, once."""

    at: int
    steps: int = 0

    def __call__(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Crash


def run(world: World, kill: Callable[[], None]) -> None:
    """Deliver three batches until each is done, in new environments after a crash."""
    world.step = kill
    messages = [
        delivered(handed_in(world, traces(*SPANS), "inbox/1"), name="1"),
        delivered(batch(traces(*(span(100 + each) for each in range(10)))), name="2"),
        delivered(batch(traces(*(span(200 + each) for each in range(10)))), name="3"),
    ]
    left, receives = messages, 1
    while left:
        tries = [_again(each, receives) for each in left]
        try:
            outcomes = world.react(*tries)
        except Crash:
            world.restart()
            receives += 1
            continue
        done = {each.message_id for each in outcomes if each.status == "done"}
        left = [each for each in left if each.message_id not in done]
        receives += 1
    receives = 1
    while world.queue.put_back:
        waiting = list(world.queue.put_back)
        try:
            world.come_back(receives)
        except Crash:
            world.restart()
            # What it put back before it died is in the queue beside what comes again.
            world.queue.put_back[:0] = waiting
            receives += 1


def _again(message: Any, receives: int) -> Any:
    return type(message)(
        message_id=message.message_id,
        body=message.body,
        sender=message.sender,
        queued_at=message.queued_at,
        receives=receives,
    )


def answers() -> Any:
    """Return what a backend says that is down for a while."""
    yield (0, "")
    yield Unavailable("HTTP 503")
    while True:
        yield (0, "")


def steps_of_a_quiet_run() -> int:
    killer = Killer(at=-1)
    world = World(forwarding=BACKENDS, rules=DropEvery(3))
    world.backends.answers["a"] = answers()
    run(world, killer)
    return killer.steps


@pytest.mark.parametrize("at", range(1, steps_of_a_quiet_run() + 1))
def test_killed_at_any_step_the_set_and_the_counters_stay_exact(at: int) -> None:
    world = World(forwarding=BACKENDS, rules=DropEvery(3))
    world.backends.answers["a"] = answers()

    run(world, Killer(at=at))

    expected = {
        ident
        for begin in (1, 100, 200)
        for number in range(10)
        if number % 3
        for ident in span_ids(traces(span(begin + number)))
    }
    there = world.backends.spans("a")
    assert set(there) == expected
    # What was sent twice is one batch at most.
    assert sum(there.values()) - len(there) <= 6
    tally = world.tally()
    assert tally.balanced
    assert tally.numbers["received"] == 30
    assert tally.numbers["messages"] == 3
    assert (tally.numbers["kept"], tally.numbers["dropped"]) == (18, 12)
    told = tally.backends()["a"]
    assert (told["sent"], told["waiting"], told["refused"]) == (18, 0, 0)
    assert sum(there.values()) - len(there) <= told["resent"]
    assert len(world.archive.kept) == 3
    assert not [key for key in world.objects.kept if key.startswith(("inbox", "forward"))]


@settings(max_examples=300, deadline=None)
@given(
    kills=st.lists(st.integers(1, 60), max_size=4),
    said=st.lists(st.sampled_from(["ok", "ok", "down", "patience", "large", "never"]), max_size=12),
)
def test_whatever_dies_and_whatever_a_backend_says_every_span_counts_once(
    kills: list[int], said: list[str]
) -> None:
    world = World(forwarding=BACKENDS, rules=DropEvery(3))
    meanings: dict[str, Answer] = {
        "ok": (0, ""),
        "down": Unavailable("HTTP 503"),
        "patience": RateLimited("HTTP 429", timedelta(minutes=2)),
        "large": TooLarge("HTTP 413"),
        "never": Rejected("HTTP 400"),
    }
    world.backends.answers["a"] = iter([meanings[each] for each in said])

    run(world, Killers(kills))

    there = world.backends.spans("a")
    refused = {
        ident
        for key, body in world.objects.kept.items()
        if key.startswith("dead/")
        for ident in span_ids(unpacked(body, "gzip"))
    }
    expected = {
        ident
        for begin in (1, 100, 200)
        for number in range(10)
        if number % 3
        for ident in span_ids(traces(span(begin + number)))
    }
    assert set(there) | refused == expected
    tally = world.tally()
    assert (tally.balanced, tally.numbers["received"]) == (True, 30)
    told = tally.backends()["a"]
    assert (told["sent"] + told["refused"], told["waiting"]) == (18, 0)
    twice = sum(there.values()) - len(there)
    # A crash costs one batch at most, and what may have gone twice is counted as such.
    assert twice <= min(told["resent"], 6 * len(kills))


@dataclass
class Killers:
    """Kills the function at several of its steps."""

    at: list[int]
    steps: int = 0

    def __call__(self) -> None:
        self.steps += 1
        if self.steps in self.at:
            raise Crash


def test_a_quiet_run_sends_nothing_twice() -> None:
    world = World(forwarding=BACKENDS)

    run(world, lambda: None)

    assert set(Counter(world.backends.spans("a")).values()) == {1}
    assert world.tally().backends()["a"]["resent"] == 0


def test_a_rejected_error_of_the_rules_is_the_messages_own() -> None:
    class Broken:
        def apply(self, *_: object) -> None:
            raise Rejected("no request")

    world = World(rules=Broken())

    (outcome,) = world.react(delivered(batch(PAYLOAD)))

    assert (outcome.status, outcome.reason) == ("rejected", "no request")
