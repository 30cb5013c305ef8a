"""The deployed functions under the real awslambdaric instead of the emulator's own workers."""

import pytest

from reflexarc.emulator.fidelity import bridged
from tests.emulator.story import Story, rejected, xid

pytestmark = pytest.mark.emulator


def test_pages_and_refusals_are_the_same_under_awslambdaric(story: Story) -> None:
    node = story.node()
    with bridged(story.lane, ("gpu_alert", "notify")) as bridges:
        story.write(node, xid(79), xid(31, gpu=0x5D))
        story.send("kaboom-2 not json")

        assert story.all_arrive_once(timeout_s=30)
        assert "not JSON" in rejected(story.lane, "kaboom-2")["reason"]
        assert all(bridge.inits_ms for bridge in bridges.values())
