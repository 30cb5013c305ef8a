"""The Runtime API and the limits of a sandbox, with the real awslambdaric."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from reflexarc.emulator.bridge import Bridge
from reflexarc.emulator.cpu_share import cpu_share
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.processes import Processes
from reflexarc.emulator.sandbox import Deployed, Sandbox, runtime_folder

HANDLER = dedent("""
    import os, sys, time
    import layered
    def handler(event, context):
        if event.get("raise"):
            raise KeyError("no such gpu")
        if event.get("sleep"):
            time.sleep(60)
        if event.get("big"):
            return "x" * (7 * 1024 * 1024)
        if event.get("spin"):
            began = time.process_time()
            while time.process_time() - began < event["spin"]:
                pass
        return {"event": event, "layer": layered.WHO, "path": list(dict.fromkeys(sys.path))[:3],
                "left_ms": context.get_remaining_time_in_millis(),
                "boto3": "boto3" in sys.modules, "memory": context.memory_limit_in_mb,
                "environment": os.environ["AWS_EXECUTION_ENV"]}
""")

Make = Callable[..., Sandbox]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    task, opt, runtime = tmp_path / "task", tmp_path / "opt", tmp_path / "runtime"
    for folder in (task, opt / "python", runtime):
        folder.mkdir(parents=True)
    (task / "app.py").write_text(HANDLER)
    (opt / "python" / "layered.py").write_text("WHO = 'layer'")
    runtime_folder(runtime)
    with Processes() as processes:

        def start(*, handler: str = "app.handler", limit: bool = False) -> Sandbox:
            deployed = Deployed(
                name="toy",
                arn="arn:aws:lambda:us-east-1:000000000000:function:toy",
                handler=handler,
                memory_mb=256,
                timeout_s=1,
                environment={"EXTRA": "1"},
                task=task,
                opt=opt,
            )
            share = cpu_share(processes, 256) if limit else None
            return Sandbox(processes, deployed, runtime, {}, share)

        yield start


def test_the_function_comes_before_its_layers_and_they_before_the_runtime(make: Make) -> None:
    sandbox = make()

    answer = json.loads(sandbox.invoke(b'{"a": 1}').payload)

    assert answer["event"] == {"a": 1}
    assert answer["layer"] == "layer"
    assert [Path(entry).name for entry in answer["path"]] == ["task", "python", "runtime"]
    assert 0 < answer["left_ms"] <= 1_000
    assert answer["memory"] == "256"
    assert not answer["boto3"]
    sandbox.close()


def test_an_exception_is_reported_with_its_type(make: Make) -> None:
    sandbox = make()

    answer = sandbox.invoke(b'{"raise": true}')

    assert answer.failed
    assert json.loads(answer.payload)["errorType"] == "KeyError"
    assert sandbox.alive
    sandbox.close()


def test_a_handler_that_is_too_slow_is_killed(make: Make) -> None:
    sandbox = make()

    answer = sandbox.invoke(b'{"sleep": true}')

    assert json.loads(answer.payload)["errorType"] == "Sandbox.Timedout"
    assert not sandbox.alive


def test_an_answer_above_six_megabytes_is_refused(make: Make) -> None:
    sandbox = make()

    answer = sandbox.invoke(b'{"big": true}')

    assert json.loads(answer.payload)["errorType"] == "Function.ResponseSizeTooLarge"
    sandbox.close()


def test_a_handler_that_cannot_be_imported_says_so(make: Make) -> None:
    with pytest.raises(LaneUnavailable, match="missing"):
        make(handler="missing.handler")


def test_cpu_is_limited_to_what_the_memory_size_buys(make: Make) -> None:
    sandbox = make(limit=True)
    began = time.monotonic()

    sandbox.invoke(b'{"spin": 0.05}')

    assert time.monotonic() - began > 0.05 / (256 / 1769) * 0.7
    sandbox.close()


def test_the_bridge_reuses_an_idle_sandbox(make: Make) -> None:
    bridge = Bridge(make)

    answers = [bridge.run(b"{}")[0] for _ in range(3)]

    assert answers == [200, 200, 200]
    assert len(bridge.inits_ms) == 1
    bridge.close()
