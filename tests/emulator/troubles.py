"""Troubles that take a minute, on a stack of their own where the emulator enforces IAM.

Begun at once, so that the minute passes while other tests run: Slack's secret is still the
template's placeholder, PagerDuty's key is revoked, and one node's road to the queue is cut.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from reflexarc.emulator.agents import Node
from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes
from tests.emulator.outage import Relay
from tests.emulator.story import UNLIMITED, Story, xid

OUTAGE_S = 60.0
LINES_DURING_OUTAGE = 8


@dataclass
class Troubles:
    """A stack in trouble since `began`."""

    lane: Lane
    relay: Relay
    cut_off: Node
    told: Story
    unheard: Story
    began: float = field(default_factory=time.monotonic)

    @classmethod
    @contextmanager
    def begin(cls, processes: Processes, checkout: Path) -> Iterator[Self]:
        lane = build(processes, Plan(checkout=checkout, auth=True, standin_options=UNLIMITED))
        lane.stack.fill({"token": "", "webhook_url": ""}, {"routing_key": "0" * 32})
        told, unheard = Story(lane), Story(lane)
        told.write(told.node(), xid(79))
        relay = Relay(urlsplit(lane.endpoint.url).port or 0)
        cut_off = unheard.node(
            queue_url=lane.stack.outputs["GpuFaultsQueueUrl"].replace(lane.endpoint.url, relay.url),
            endpoint=replace(lane.agent_endpoint, url=relay.url),
        )
        relay.cut()
        unheard.write(cut_off, *(xid(79, gpu) for gpu in range(LINES_DURING_OUTAGE)))
        yield cls(lane=lane, relay=relay, cut_off=cut_off, told=told, unheard=unheard)
        relay.cut()

    def wait_out(self) -> None:
        """Return when the minute is over."""
        time.sleep(max(0.0, self.began + OUTAGE_S - time.monotonic()))

    def repair_secrets(self) -> None:
        self.lane.stack.fill(self.lane.standins.slack_secret, self.lane.standins.pagerduty_secret)
