"""What the watcher hands to the intake beside the chunks of a log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reflexarc.agent.lines import Chunk
from reflexarc.events.gpu_faults import Finding
from reflexarc.gpu.watch.model import XidSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Findings of the rules, Xids that a second witness saw, and names of the GPUs read.

    `rules` is what the rules must remember, as of these findings: both reach the disk in one
    write, so that a restart finds none of them twice and forgets none. None: as before.
    """

    findings: tuple[Finding, ...] = ()
    xids: tuple[XidSeen, ...] = ()
    rules: Mapping[str, Any] | None = None
    uuids: Mapping[str, str] = field(default_factory=dict)


Item = Chunk | Noticed
