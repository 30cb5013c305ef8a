"""Troubles that take a minute, on a stack of their own where the emulator enforces IAM.

Begun at once, so that the minute passes while other tests run: Slack's secret is still the
template's placeholder, PagerDuty's key is revoked, and one node's road to the queue is cut.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes
from tests.emulator.outage import Relay
from tests.emulator.story import EACH_ALONE, UNLIMITED, Story, xid

OUTAGE_S = 60.0
LINES_DURING_OUTAGE = 8


@dataclass(frozen=True)
class Seen:
    """What had happened before all was put right; `asked` counts the first minute alone."""

    asked: int
    unheard: int


@dataclass
class Troubles:
    """A stack in trouble since `began`."""

    lane: Lane
    relay: Relay
    told: Story
    unheard: Story
    began: float = field(default_factory=time.monotonic)

    @classmethod
    @contextmanager
    def begin(cls, processes: Processes, checkout: Path) -> Iterator[Self]:
        lane = build(
            processes,
            Plan(checkout=checkout, auth=True, standin_options=UNLIMITED, document=EACH_ALONE),
        )
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
        yield cls(lane=lane, relay=relay, told=told, unheard=unheard)
        relay.cut()
        told.end()
        unheard.end()

    @cached_property
    def seen_before_the_end(self) -> Seen:
        """Wait until the minute is over, look, and put everything right again."""
        time.sleep(max(0.0, self.began + OUTAGE_S - time.monotonic()))
        # The session's other tests may take longer than the minute: who asks later is not counted.
        ends = time.time() - time.monotonic() + self.began + OUTAGE_S
        asked = [entry for entry in self.lane.standins.log() if entry["at"] <= ends]
        seen = Seen(asked=len(asked), unheard=len(self.unheard.so_far().alerts))
        self.relay.mend()
        self.lane.stack.fill(self.lane.standins.slack_secret, self.lane.standins.pagerduty_secret)
        return seen
