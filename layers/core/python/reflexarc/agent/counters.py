"""What the agent counted since it started; every number only grows."""

from dataclasses import dataclass

from reflexarc.agent.spool import SpoolState
from reflexarc.events.gpu_readings import AgentCounters


@dataclass(slots=True)
class Counters:
    """Each number has one writer: the intake, the watcher (`samples`) or the courier (`sent`).

    `faults` counts every fault line, repeats included; `collapsed` those of them that left inside
    a count. `refused_faults` were refused by the queue for ever (the courier counts them too), and
    are reported as shed.
    """

    lines: int = 0
    faults: int = 0
    collapsed: int = 0
    unparsed: int = 0
    spoofed: int = 0
    kernel_lost: int = 0
    findings: int = 0
    corroborated: int = 0
    samples: int = 0
    sent: int = 0
    refused_faults: int = 0
    refused_readings: int = 0
    unparsed_sample: str = ""

    def published(self, spool: SpoolState) -> AgentCounters:
        """Return the counters as a heartbeat carries them."""
        return AgentCounters(
            lines=self.lines,
            faults=self.faults,
            collapsed=self.collapsed,
            unparsed=self.unparsed,
            spoofed=self.spoofed,
            kernel_lost=self.kernel_lost,
            findings=self.findings,
            corroborated=self.corroborated,
            samples=self.samples,
            sent=self.sent,
            faults_shed=spool.faults_shed + self.refused_faults,
            readings_shed=spool.readings_shed + self.refused_readings,
        )
