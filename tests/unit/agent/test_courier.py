import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from reflexarc.kernel.batching import BATCH_COUNT
from reflexarc.kernel.errors import RateLimited, Rejected, Unavailable
from tests.agent.fakes import Bench, message


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.spool.close()


def test_message_goes_out_and_is_settled(bench: Bench) -> None:
    bench.spool.put("faults", [message(1, faults=3)], {})

    bench.faults.deliver()

    assert [each for each, _ in bench.queues["faults"].sent] == [message(1).id]
    assert bench.spool.waiting("faults") == 0
    assert bench.counters.sent == 1
    [told] = bench.events.named("sent")
    assert (told["ids"], told["faults"]) == ([message(1).id], 3)


def test_nothing_waiting_is_no_request(bench: Bench) -> None:
    bench.faults.deliver()

    assert bench.queues["faults"].requests == []


def test_backlog_goes_out_ten_at_a_time_in_order(bench: Bench) -> None:
    bench.spool.put("faults", [message(number) for number in range(25)], {})

    bench.deliver_all()

    assert [len(each) for each in bench.queues["faults"].requests] == [BATCH_COUNT, 10, 5]
    assert [each for each, _ in bench.queues["faults"].sent] == [message(n).id for n in range(25)]


def test_failed_message_stays_and_keeps_its_id(bench: Bench) -> None:
    bench.queues["faults"].errors.append(Unavailable("no route"))
    bench.spool.put("faults", [message(1)], {})

    bench.faults.deliver()
    bench.faults.deliver()

    assert bench.queues["faults"].requests == [[message(1).id], [message(1).id]]
    assert bench.spool.waiting("faults") == 0
    assert 'warning "faults could not be sent" why="no route"' in bench.written[0]
    assert "the queue takes messages again" in bench.written[1]


def test_queue_that_asks_to_be_left_alone_is_left_alone(bench: Bench) -> None:
    bench.queues["faults"].errors.append(RateLimited("busy", timedelta(seconds=40)))
    bench.spool.put("faults", [message(1)], {})

    bench.faults.deliver()

    assert bench.faults._not_before - bench.faults.monotonic() == pytest.approx(40, abs=1)


def test_only_what_failed_is_sent_again(bench: Bench) -> None:
    bench.queues["faults"].problems = {message(2).id: Unavailable("throttled")}
    bench.spool.put("faults", [message(1), message(2), message(3)], {})

    bench.faults.deliver()
    bench.queues["faults"].problems = {}
    bench.faults.deliver()

    assert bench.queues["faults"].requests[1] == [message(2).id]
    assert bench.faults.failures == 0


def test_message_refused_for_ever_blocks_no_other_and_is_counted(bench: Bench) -> None:
    bench.queues["faults"].problems = {message(1).id: Rejected("too long")}
    bench.queues["readings"].problems = {message(3).id: Rejected("too long")}
    bench.spool.put("faults", [message(1, faults=4), message(2)], {})
    bench.spool.put("readings", [message(3)], {})

    bench.deliver_all()

    counters = bench.counters.published(bench.spool.report())
    assert (counters.faults_shed, counters.readings_shed, counters.sent) == (4, 1, 1)
    assert "refuses a message of faults for ever" in bench.written[0]


def test_unexpected_error_is_told_and_tried_again(bench: Bench) -> None:
    bench.queues["faults"].errors.append(ValueError("surprise"))
    bench.spool.put("faults", [message(1)], {})

    bench.faults.deliver()

    assert bench.spool.waiting("faults") == 1
    assert "unexpected ValueError: surprise" in bench.written[0]


def test_readings_wait_until_faults_are_gone(bench: Bench) -> None:
    bench.spool.put("readings", [message(1)], {})
    assert bench.readings.may_send()

    bench.spool.put("faults", [message(2)], {})
    assert not bench.readings.may_send()

    bench.faults.deliver()
    assert bench.readings.may_send()


def test_readings_go_when_only_the_queue_for_faults_is_out_of_order(bench: Bench) -> None:
    bench.queues["faults"].down = Unavailable("denied")
    bench.spool.put("faults", [message(1)], {})
    bench.spool.put("readings", [message(2)], {})

    bench.faults.deliver()

    assert bench.readings.may_send()
    bench.readings.deliver()
    bench.spool.put("readings", [message(3)], {})
    assert not bench.readings.may_send()


def test_running_courier_delivers_what_comes_and_stops_when_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    stopping = threading.Event()
    thread = threading.Thread(target=bench.faults.run, args=(stopping.is_set,))
    thread.start()

    bench.spool.put("faults", [message(1)], {})
    delivered = bench.spool.wait(lambda: not bench.spool.waiting("faults"), 5)
    stopping.set()
    bench.spool.nudge()
    thread.join(5)
    bench.spool.close()

    assert delivered
    assert not thread.is_alive()


def test_running_courier_makes_the_backlog_durable_while_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    synced: list[bool] = []

    def broken_sync() -> None:
        synced.append(True)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(bench.spool, "sync", broken_sync)
    bench.queues["faults"].down = Unavailable("no route")
    bench.spool.put("faults", [message(1)], {})
    rounds = iter(range(4))

    bench.faults.run(lambda: next(rounds, None) is None)
    bench.spool.close()

    assert len(synced) >= 1
    assert any("the spool cannot be synced" in line for line in bench.written)
