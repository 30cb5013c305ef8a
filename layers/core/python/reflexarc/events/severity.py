"""How much somebody should hurry."""

from enum import StrEnum


class Severity(StrEnum):
    """Three steps, named as PagerDuty and Alertmanager users name them."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0, 1 or 2: a larger rank wants more hurry."""
        return list(Severity).index(self)
