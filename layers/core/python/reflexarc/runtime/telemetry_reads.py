"""What every part of the product reads of telemetry: the slices say it, here it is put together.

No rule takes such items away (telemetry/guards.py adds errors), and one that would take away all
that somebody reads is refused at push with that name. A slice that reads telemetry is added here.
"""

from reflexarc.events.reads import Read
from reflexarc.gpu.reads import READS as GPU

READS: tuple[Read, ...] = GPU
