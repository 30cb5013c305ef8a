"""What Alertmanager's acceptance tests ask of a pager holds here; each test names its counterpart.

The counterparts are those of test/with_api_v2/acceptance in
https://github.com/prometheus/alertmanager. Where their pager sends every alert again at every
interval, ours edits the message in place: a person is called once.
"""

from dataclasses import replace
from datetime import timedelta

from reflexarc.events.page import Silence
from reflexarc.events.signal import Entity, Signal
from reflexarc.incidents.config import default_policy
from reflexarc.incidents.document import Inhibition, Match, Route
from tests.support.incidents import NOW, at, clear, signal
from tests.support.notices import wake_up
from tests.support.pager import Pager

JOB_DOWN = Inhibition(
    name="job-down",
    source=Match(causes=("job/down",)),
    target=Match(causes=("instance/down",)),
    equal=("pool", "zone"),
)


def gpu(number: int) -> Entity:
    return Entity(kind="gpu", node=f"node-{number}", device="0000:3b:00")


def repeating(seconds: float) -> Pager:
    base = default_policy("C0PAGES")
    route = Route(channels=("pagerduty", "slack"), repeat=timedelta(seconds=seconds))
    return Pager(policy=replace(base, routes=(route,)))


def inhibiting() -> Pager:
    return Pager(policy=replace(default_policy("C0PAGES"), inhibitions=(JOB_DOWN,)))


def in_zone(number: int, cause: str, zone: str, kind: str = "fire") -> Signal:
    entity = Entity(kind="node", node=f"{cause}-{zone}")
    return signal(
        number, cause=cause, entity=entity, kind=kind, labels={"pool": "train", "zone": zone}
    )


def test_refreshed_alert_keeps_its_earliest_start_and_a_later_one_is_another() -> None:
    """TestMergeAlerts (send_test.go)."""
    pager = Pager()
    pager.fire(signal(1, seconds=1.1))
    pager.fire(signal(2, seconds=1))
    pager.fire(signal(3, seconds=2, marks=("v1",)))

    [alert] = pager.alerts()
    assert pager.desk.incident(signal()).first_at == at(1)
    assert pager.desk.incident(signal()).marks == ("v1",)
    assert len(pager.roots()) == 1

    pager.fire(clear(4, seconds=4.5), clear(5, seconds=4.8))
    assert alert["status"] == "resolved"
    pager.fire(signal(6, seconds=5.3))

    assert [each["status"] for each in pager.alerts()] == ["resolved", "triggered"]
    assert pager.desk.incident(signal()).first_at == at(5.3)
    assert len(pager.roots()) == 2


def test_open_alert_is_told_again_at_its_interval_until_it_is_resolved() -> None:
    """TestRepeat (send_test.go)."""
    pager = repeating(60)
    pager.fire(signal(1))

    pager.forward(125)
    told = [text for text in pager.replies() if "still open" in text]
    pager.fire(clear(2))
    pager.forward(125)

    assert len(told) == 2
    assert [text for text in pager.replies() if "still open" in text] == told
    assert (len(pager.alerts()), len(pager.roots())) == (1, 1)


def test_receiver_that_fails_is_tried_until_it_succeeds_and_the_other_is_left_alone() -> None:
    """TestRetry (send_test.go)."""
    pager = Pager()
    until = at(30)
    pager.line = lambda what: (
        "broken"
        if "broken" in what and pager.desk.now < until and pager.world.senders % 2
        else "go"
    )
    pager.fire(signal(1))

    pager.forward(60)

    [alert] = pager.alerts()
    assert (alert["status"], len(pager.roots())) == ("triggered", 1)
    assert [event["event_action"] for event in alert["events"]] == ["trigger"]


def test_alerts_of_one_group_are_one_message_that_is_quiet_while_nothing_changes() -> None:
    """TestBatching (send_test.go)."""
    pager = repeating(300)
    pager.fire(signal(1, entity=gpu(1)), signal(5, entity=gpu(5)))
    pager.fire(*(signal(n, entity=gpu(n)) for n in (2, 3, 4)))
    pager.forward(20)
    [root] = pager.roots()
    revision = root["revision"]

    assert "5 GPUs" in root["text"]
    pager.forward(200)
    assert (root["revision"], len(pager.alerts())) == (revision, 1)


def test_resolved_alerts_are_told_as_resolved_by_every_receiver() -> None:
    """TestResolved (send_test.go)."""
    pager = Pager()
    pager.fire(*(signal(n, entity=gpu(n)) for n in (1, 2, 3)))

    pager.fire(*(clear(10 + n, entity=gpu(n)) for n in (1, 2, 3)))
    pager.forward(10)

    assert [alert["status"] for alert in pager.alerts()] == ["resolved"]
    assert "Resolved" in pager.roots()[0]["text"]


def test_part_of_a_group_that_resolves_is_told_and_the_rest_stays_open() -> None:
    """TestResolvedFilter (send_test.go): whether it was resolved in between is never ambiguous."""
    pager = Pager()
    pager.fire(*(signal(n, entity=gpu(n)) for n in (1, 2)))

    pager.fire(clear(3, entity=gpu(1)), signal(4, entity=gpu(3)))
    pager.forward(10)
    assert [alert["status"] for alert in pager.alerts()] == ["triggered"]

    pager.fire(signal(5, entity=gpu(1)))
    assert pager.desk.incident(signal(entity=gpu(1))).generation == 2
    pager.fire(*(clear(10 + n, entity=gpu(n)) for n in (1, 2, 3)))
    pager.forward(10)
    assert [alert["status"] for alert in pager.alerts()] == ["resolved"]


def test_configuration_that_is_read_anew_tells_nothing_twice() -> None:
    """TestReload (send_test.go)."""
    pager = Pager()
    pager.fire(signal(1, entity=gpu(1)))
    [root] = pager.roots()

    pager.desk.policy = default_policy("C0PAGES")
    pager.fire(signal(2, entity=gpu(2)))
    pager.forward(10)

    assert (len(pager.roots()), len(pager.alerts())) == (1, 1)
    assert "2 GPUs" in root["text"]


def silence(seconds: float, **labels: str) -> Silence:
    return Silence(
        id="01",
        labels=labels,
        starts_at=NOW,
        ends_at=at(seconds),
        author="ana",
        reason="planned",
        created_at=NOW,
    )


def test_silenced_alert_is_told_when_its_silence_ends_and_others_at_once() -> None:
    """TestSilencing (silence_test.go)."""
    pager = Pager()
    pager.desk.silences.put(silence(120, node="node-1"))

    pager.fire(signal(1, entity=gpu(1)), signal(2, entity=gpu(2)))
    assert ["node-2" in root["text"] for root in pager.roots()] == [True]

    pager.forward(125)
    assert sorted("node-1" in root["text"] for root in pager.roots()) == [False, True]
    assert len(pager.alerts()) == 2


def test_silence_that_is_ended_early_is_over_within_a_minute() -> None:
    """TestSilenceDelete (silence_test.go)."""
    pager = Pager()
    everything = silence(100_000, node="*")
    pager.desk.silences.put(everything)
    pager.fire(signal(1, entity=gpu(1)), signal(2, entity=gpu(2)))
    pager.forward(90)
    assert (pager.roots(), pager.alerts()) == ([], [])

    ended = everything.model_copy(update={"ends_at": pager.desk.now, "expired_by": "ana"})
    pager.desk.silences.put(ended)
    pager.forward(61)

    assert (len(pager.roots()), len(pager.alerts())) == (1, 1)


def test_inhibited_alert_is_told_as_soon_as_its_cause_is_resolved() -> None:
    """TestInhibiting (inhibit_test.go)."""
    pager = inhibiting()
    pager.fire(in_zone(1, "job/down", "aa"))
    pager.fire(in_zone(2, "instance/down", "aa"), in_zone(3, "instance/down", "ab"))
    told = [root["text"] for root in pager.roots()]
    assert ["instance/down-aa" in text for text in told] == [False, False]
    assert any("instance/down-ab" in text for text in told)

    pager.fire(in_zone(4, "job/down", "aa", kind="clear"))
    pager.forward(62)

    assert any("instance/down-aa" in root["text"] for root in pager.roots())


def test_alert_that_resolves_together_with_its_cause_is_never_told() -> None:
    """TestAlwaysInhibiting (inhibit_test.go).

    Theirs tells the end of what was never told; ours says nothing of it.
    """
    pager = inhibiting()
    pager.fire(in_zone(1, "job/down", "aa"), in_zone(2, "instance/down", "aa"))

    pager.fire(
        in_zone(3, "job/down", "aa", kind="clear"), in_zone(4, "instance/down", "aa", kind="clear")
    )
    pager.forward(120)

    [alert] = pager.alerts()
    assert alert["status"] == "resolved"
    assert ["job/down" in root["text"] for root in pager.roots()] == [True]


def test_inhibition_that_names_no_equal_labels_holds_for_all() -> None:
    """TestEmptyInhibitionRule (inhibit_test.go): a rule does what it states and no more."""
    rule = JOB_DOWN.model_copy(update={"equal": ()})
    pager = Pager(policy=replace(default_policy("C0PAGES"), inhibitions=(rule,)))

    pager.fire(in_zone(1, "job/down", "aa"), in_zone(2, "instance/down", "ab"))

    assert len(pager.roots()) == 1


def test_two_senders_tell_one_alert_once() -> None:
    """TestClusterDeduplication (cluster_test.go)."""
    pager = Pager()
    pager.desk.record(signal(1))
    groups = list(pager.desk.wake_ups.woken)

    pager.deliver()
    for group in (*groups, *groups):
        pager._service().handle([wake_up(group)])

    assert (len(pager.roots()), len(pager.alerts())) == (1, 1)
    assert len(pager.alerts()[0]["events"]) == 1


def test_label_of_any_script_is_routed_and_told() -> None:
    """TestSendAlertsToUTF8Route and TestSilenceUTF8 (utf8_test.go)."""
    base = default_policy("C0PAGES")
    route = Route(match=Match(labels={"区域🏭": "東*"}), channels=("slack",))
    pager = Pager(policy=replace(base, routes=(route,)))

    pager.fire(signal(1, entity=gpu(1), labels={"区域🏭": "東京"}))
    pager.fire(signal(2, entity=gpu(2), cause="xid/48", labels={"区域🏭": "大阪"}))
    pager.desk.silences.put(silence(600, **{"区域🏭": "東京"}))
    pager.fire(signal(3, entity=gpu(3), cause="xid/119", labels={"区域🏭": "東京"}))

    assert len(pager.roots()) == 1
