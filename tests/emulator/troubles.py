"""Troubles that take a minute, on a stack of their own where the emulator enforces IAM.

Begun at once, so that the minute passes while other tests run: Slack's secret is still the
template's placeholder, PagerDuty's key is revoked, and one node's road to the queue is cut.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
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
    """What had happened when the minute was over."""

    asked: int
    unheard: int


@dataclass
class Troubles:
    """A stack in trouble for a minute."""

    lane: Lane
    relay: Relay
    told: Story
    unheard: Story
    ended: Future[Seen] = field(init=False)

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
        troubles = cls(lane=lane, relay=relay, told=told, unheard=unheard)
        over = Event()
        with ThreadPoolExecutor(max_workers=1) as pool:
            troubles.ended = pool.submit(troubles.end, over)
            yield troubles
            over.set()
        relay.cut()
        told.end()
        unheard.end()

    @property
    def seen_before_the_end(self) -> Seen:
        """Wait until the minute is over and all is put right; return what had happened by then."""
        return self.ended.result()

    def end(self, over: Event) -> Seen:
        """Look when the minute is over, and put everything right again.

        On time, whenever the tests come: who is refused for longer waits longer to ask again.
        """
        over.wait(OUTAGE_S)
        seen = Seen(asked=len(self.lane.standins.log()), unheard=len(self.unheard.so_far().alerts))
        self.relay.mend()
        self.lane.stack.fill(self.lane.standins.slack_secret, self.lane.standins.pagerduty_secret)
        return seen
