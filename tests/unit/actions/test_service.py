from dataclasses import replace
from datetime import timedelta

import pytest

from reflexarc.actions.model import Post
from reflexarc.actions.service import BODY_MAX
from reflexarc.kernel.ids import ulid
from tests.unit.actions.fakes import NOW, Bench, FakeSecret, form, payload, signed

CLICK = form(payload())


def refused(bench: Bench, post: Post) -> tuple[int, str]:
    reply = bench.service.answer(post)
    assert reply.done == ()
    assert bench.actions.sent == []
    return reply.status, reply.reason


def test_a_click_is_handed_on_once() -> None:
    bench = Bench()

    reply = bench.service.answer(signed(CLICK))

    assert (reply.status, reply.reason) == (200, "")
    assert bench.actions.sent == list(reply.done)
    assert [action.act for action in reply.done] == ["ack"]
    assert reply.done[0].id[:10] == ulid(NOW.replace(microsecond=0), bytes(10))[:10]


def test_a_replay_changes_nothing() -> None:
    bench = Bench()
    bench.service.answer(signed(CLICK))
    bench.actions.sent.clear()

    status, reason = refused(bench, signed(CLICK))

    assert status == 401
    assert "replayed" in reason


def test_a_stale_click_changes_nothing_and_reads_no_secret() -> None:
    bench = Bench(now=NOW + timedelta(seconds=301))

    status, reason = refused(bench, signed(CLICK))

    assert status == 401
    assert "stale" in reason
    assert bench.secret.reads == 0


def test_a_forged_click_changes_nothing() -> None:
    bench = Bench()

    status, reason = refused(bench, signed(CLICK, secret="guessed"))

    assert status == 401
    assert "forged" in reason
    assert bench.clicks.seen == set()


def test_a_body_that_was_changed_on_its_way_is_forged() -> None:
    post = replace(signed(CLICK), body=form(payload("reflexarc_resolve")))

    assert refused(Bench(), post)[0] == 401


def test_a_regenerated_secret_is_taken_over() -> None:
    bench = Bench(secret=FakeSecret(value="old", newer="new"))

    assert bench.service.answer(signed(CLICK, secret="new")).status == 200
    assert refused(Bench(secret=FakeSecret(newer="new")), signed(CLICK, secret="x"))[0] == 401


def test_without_a_signing_secret_nobody_is_refused_for_good() -> None:
    bench = Bench(secret=FakeSecret(failure="put it there"))

    status, reason = refused(bench, signed(CLICK))

    assert status == 503
    assert "put it there" in reason


def test_a_queue_out_of_reach_is_shown_and_does_not_block_the_next_click() -> None:
    bench = Bench()
    bench.actions.failures = 1

    status, reason = refused(bench, signed(CLICK))

    assert status == 500
    assert "not taken" in reason
    assert bench.service.answer(signed(form(payload(trigger_id="next")))).status == 200


def test_a_table_out_of_reach_takes_no_click() -> None:
    bench = Bench()
    bench.clicks.failure = "the table does not answer"

    assert refused(bench, signed(CLICK))[0] == 500


def test_what_is_not_ours_is_answered_and_not_noted() -> None:
    bench = Bench()

    reply = bench.service.answer(signed(form({"type": "view_submission"})))

    assert (reply.status, reply.done) == (200, ())
    assert bench.clicks.seen == set()


@pytest.mark.parametrize(
    ("post", "status"),
    [
        (signed(CLICK, method="GET"), 405),
        (signed(b"payload=" + b"x" * BODY_MAX), 400),
        (signed(b"payload={"), 400),
        (signed(form(payload()), at=NOW + timedelta(seconds=302)), 401),
        (Post(method="POST", body=CLICK), 401),
    ],
)
def test_the_status_says_what_is_wrong(post: Post, status: int) -> None:
    assert refused(Bench(), post)[0] == status
