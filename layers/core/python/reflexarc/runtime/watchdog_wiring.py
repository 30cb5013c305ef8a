"""Builds what watchdog calls, apart from `wiring`: no other function needs it."""

from datetime import datetime
from functools import cache

from reflexarc.adapters.dynamodb.fleet_silence import FleetPulses
from reflexarc.adapters.dynamodb.leavers import DynamoLeavers
from reflexarc.adapters.dynamodb.pages import DynamoDuePages
from reflexarc.adapters.http.dead_man import READ_S, DeadMan
from reflexarc.adapters.http.pool import HttpPool
from reflexarc.adapters.sqs.canaries import SqsCanaries
from reflexarc.adapters.sqs.checks import SqsChecks
from reflexarc.adapters.sqs.signals import SqsSignals
from reflexarc.adapters.sqs.timers import SqsTimers
from reflexarc.gpu.silence_service import SilenceWatch
from reflexarc.kernel.clock import system_clock
from reflexarc.notify.sweep import StaleGroups, SweepService
from reflexarc.runtime import clients
from reflexarc.runtime.settings import WatchdogSettings
from reflexarc.runtime.watchdog import Watchdog
from reflexarc.runtime.wiring import configuration_of, outbox_of, wake_ups


@cache
def watchdog() -> Watchdog:
    """Build what watchdog calls."""
    settings = WatchdogSettings.load()
    configuration = configuration_of(settings.incidents_table)

    def url() -> str:
        incidents = configuration.current().incidents
        return "" if incidents is None else incidents.dead_man_url

    return Watchdog(chores=_chores(settings), url=url, switch=DeadMan(HttpPool(read_s=READ_S)))


def _chores(settings: WatchdogSettings) -> SweepService:
    stale = StaleGroups(outbox=outbox_of(settings.incidents_table), wake_ups=wake_ups(settings))
    dynamodb, sqs = clients.dynamodb(), clients.sqs()
    # One to each function of the page path; the senders' function has two environments warm.
    warm = (
        settings.gpu_faults_queue_url,
        settings.notify_slack_queue_url,
        settings.notify_pagerduty_queue_url,
    )
    silence = SilenceWatch(
        pulses=FleetPulses(dynamodb, settings.fleet_table),
        leavers=DynamoLeavers(dynamodb, settings.incidents_table),
        checks=SqsChecks(sqs, settings.signals_queue_url),
        signals=SqsSignals(sqs, settings.signals_queue_url),
    )
    pages = DynamoDuePages(dynamodb, settings.incidents_table)
    timers = SqsTimers(sqs, settings.signals_queue_url)

    def steps(now: datetime) -> int:
        """Bring back every page whose step is due: a queue holds none for longer than it can."""
        due = list(pages.due(now))
        for timer in due:
            timers.plan(timer, now)
        return len(due)

    return SweepService(
        chores={
            "stale groups": stale.wake,
            "steps that are due": steps,
            # A look a node, ten a request: where all are silent it may take much of the tick.
            "silent nodes": silence.look,
            "canaries": SqsCanaries(sqs, warm).send,
        },
        clock=system_clock,
    )
