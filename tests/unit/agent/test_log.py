import pytest

from reflexarc.agent.log import AgentLog, Level
from tests.agent.fakes import Time


def log_to(lines: list[str], time: Time, level: Level = "info") -> AgentLog:
    return AgentLog(level, write=lines.append, monotonic=time.monotonic)


def test_line_has_time_level_event_and_facts() -> None:
    lines: list[str] = []

    log_to(lines, Time()).info("agent started", node="node-7", why='a "b"\nc')

    assert lines[0].endswith('Z info "agent started" node=node-7 why="a \\"b\\"\\nc"')


def test_repeated_event_becomes_rare_and_says_how_many_were_left_out() -> None:
    lines: list[str] = []
    time = Time()
    log = log_to(lines, time)

    for _ in range(600):
        log.warning("cannot send")
        time.pass_by(1)

    assert len(lines) == 5 + 9
    assert lines[5].endswith("left_out=59")
    assert lines[6].endswith("left_out=59")


def test_other_events_are_not_held_back() -> None:
    lines: list[str] = []
    log = log_to(lines, Time())
    for _ in range(100):
        log.warning("cannot send")

    log.error("lost something")

    assert len(lines) == 6


def test_event_that_goes_on_slowly_becomes_rare_too() -> None:
    lines: list[str] = []
    time = Time()
    log = log_to(lines, time)

    for _ in range(240):
        log.warning("cannot send")
        time.pass_by(15)

    assert len(lines) == 5 + 58


def test_event_that_stopped_may_be_told_in_full_again() -> None:
    lines: list[str] = []
    time = Time()
    log = log_to(lines, time)
    log.warning("cannot send")
    time.pass_by(3600)

    for _ in range(10):
        log.warning("cannot send")

    assert len(lines) == 1 + 5


def test_levels_below_the_chosen_one_are_silent() -> None:
    lines: list[str] = []
    log = log_to(lines, Time(), level="warning")

    log.debug("a")
    log.info("b")
    log.warning("c")

    assert len(lines) == 1


def test_by_default_it_writes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    AgentLog().info("agent started")

    captured = capsys.readouterr()
    assert "agent started" in captured.err
    assert captured.out == ""
