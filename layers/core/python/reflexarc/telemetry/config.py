"""The telemetry document: rules, redaction, and where telemetry goes on to.

It is a document of its own beside reflexarc.yaml, with versions of its own: the page path, which
reads reflexarc.yaml, does not carry 10,000 rules (docs/adr/026).
"""

from collections import Counter
from typing import Self

from pydantic import Field, model_validator

from reflexarc.engines.redact.policy import RedactionPolicy
from reflexarc.telemetry.backends import Forwarding
from reflexarc.telemetry.rules import Rule

RULES_MAX = 20_000


class TelemetryConfig(Forwarding):
    """telemetry.yaml. Without one, everything is kept, redacted by the defaults, and archived."""

    rules: tuple[Rule, ...] = Field(default=(), max_length=RULES_MAX)
    redaction: RedactionPolicy = RedactionPolicy()

    @model_validator(mode="after")
    def _names_are_their_own(self) -> Self:
        names = Counter(rule.name for rule in self.rules)
        twice = sorted(name for name, times in names.items() if times > 1)
        if twice:
            raise ValueError(f"more than one rule is named {', '.join(twice[:5])}")
        return self

    @model_validator(mode="after")
    def _hashes_have_a_salt(self) -> Self:
        if self.hashes and not self.redaction.salt_secret:
            raise ValueError(
                "mode hash needs redaction.salt_secret: the name of a key in the telemetry secret"
            )
        return self

    @property
    def hashes(self) -> bool:
        """Return whether anything is redacted to a keyed hash."""
        policies = (self.redaction, *(rule.redact for rule in self.rules if rule.redact))
        return any(policy.mode == "hash" for policy in policies)
