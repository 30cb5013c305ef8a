"""Nothing that the lane starts outlives it."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.processes import Processes, wait_for_http, wait_until

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
# A shell gives what it starts in the background a SIGINT that is ignored, and so to our children.
PARENT = textwrap.dedent(f"""
    import signal, sys, time
    from pathlib import Path
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from reflexarc.emulator.processes import Processes
    with Processes() as processes:
        folder = processes.folder("test")
        child = processes.start("child", [sys.executable, "-c", {STUBBORN!r}], cwd=folder)
        print(child.process.pid, folder, flush=True)
        time.sleep(60)
""")


def alive(pid: int) -> bool:
    """A zombie has ended; who reaps it is the init process's concern."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def parent() -> Iterator[tuple["subprocess.Popen[str]", int, Path]]:
    with subprocess.Popen(  # noqa: S603 - this interpreter and our own text
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        pid, folder = process.stdout.readline().split()
        yield process, int(pid), Path(folder)
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_children_and_folders_end_with_their_parent(
    parent: tuple["subprocess.Popen[str]", int, Path], number: signal.Signals
) -> None:
    process, child, folder = parent
    assert alive(child)

    process.send_signal(number)

    assert wait_until(lambda: not alive(child) and not folder.exists(), 10)


def test_stop_ends_the_whole_group_of_a_child(tmp_path: Path) -> None:
    spawner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}])"
    with Processes() as processes:
        child = processes.start("spawner", [sys.executable, "-c", spawner], cwd=tmp_path)
        group = child.process.pid

        processes.stop(child, grace_s=0.2)

        def gone() -> bool:
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return True
            return False

        assert wait_until(gone, 5)


def test_an_exception_inside_still_ends_children(tmp_path: Path) -> None:
    started = []

    def fail() -> None:
        with Processes() as processes:
            started.append(processes.start("child", [sys.executable, "-c", STUBBORN], cwd=tmp_path))
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert not started[0].running


def test_a_child_sees_only_the_environment_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the caller's own")
    code = "import os; print(sorted(os.environ))"
    with Processes() as processes:
        child = processes.start("child", [sys.executable, "-c", code], cwd=tmp_path, env={"A": "1"})
        child.process.wait()
        seen = child.tail()

    assert "'A'" in seen
    assert "SECRET" not in seen


def test_a_child_that_dies_early_is_reported_with_what_it_said(tmp_path: Path) -> None:
    with Processes() as processes:
        child = processes.start(
            "server", [sys.executable, "-c", "raise SystemExit('port taken')"], cwd=tmp_path
        )
        with pytest.raises(LaneUnavailable, match="exited with 1: port taken"):
            wait_for_http("http://127.0.0.1:9/", child)
