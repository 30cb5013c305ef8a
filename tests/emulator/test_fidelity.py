"""The deployed functions under the real awslambdaric instead of the emulator's own workers."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from reflexarc.emulator import bridge
from reflexarc.emulator.bridge import Bridge
from reflexarc.emulator.sandbox import Sandbox, fetch, runtime_folder
from tests.emulator.story import Story, rejected, xid

pytestmark = pytest.mark.emulator


@pytest.fixture
def bridges(story: Story) -> Iterator[dict[str, Bridge]]:
    lane = story.lane
    runtime = runtime_folder(lane.processes.folder("runtime"))
    with ExitStack() as stack:
        made = {}
        for function in ("gpu_alert", "notify"):
            name = lane.stack.function(function)
            deployed = fetch(lane.endpoint, name, lane.processes.folder(function))
            environment = lane.endpoint.environment()
            made[function] = Bridge(
                lambda deployed=deployed, environment=environment: Sandbox(  # type: ignore[misc]
                    lane.processes, deployed, runtime, environment
                )
            )
            stack.callback(made[function].close)
            bridge.attach(lane.endpoint, name, made[function].url)
            stack.callback(bridge.detach, lane.endpoint, name)
        yield made


def test_pages_and_refusals_are_the_same_under_awslambdaric(
    story: Story, bridges: dict[str, Bridge]
) -> None:
    node = story.node()

    story.write(node, xid(79), xid(31, gpu=0x5D))
    story.send("kaboom-2 not json")

    assert story.all_arrive_once(timeout_s=30)
    assert "not JSON" in rejected(story.lane, "kaboom-2")["reason"]
    assert all(made.inits_ms for made in bridges.values())
