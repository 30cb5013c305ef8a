"""The telemetry document as a whole."""

import pytest
from pydantic import ValidationError

from reflexarc.telemetry.config import RULES_MAX, TelemetryConfig
from tests.support.rule_writing import stated

HASHES = {"mode": "hash", "salt_secret": "telemetry-salt"}


def test_without_a_word_there_are_no_rules_and_the_defaults_redact() -> None:
    config = TelemetryConfig()

    assert config.rules == ()
    assert config.redaction.detectors.email
    assert not config.hashes


def test_names_of_rules_are_their_own() -> None:
    rules = [stated(name, span="true") for name in "abcabdefgefg"]

    with pytest.raises(ValidationError, match="more than one rule is named a, b, e, f, g"):
        TelemetryConfig.model_validate({"rules": rules})


def test_rules_are_bounded() -> None:
    rules = [stated(f"r{number}", span="true") for number in range(RULES_MAX + 1)]

    with pytest.raises(ValidationError, match="at most 20000 items"):
        TelemetryConfig.model_validate({"rules": rules})


def test_hashes_need_a_salt_wherever_they_are_made() -> None:
    of_rule = stated("r", "redact", span="true", redact={"mode": "hash"})

    for document in ({"redaction": {"mode": "hash"}}, {"rules": [of_rule]}):
        with pytest.raises(ValidationError, match="mode hash needs redaction"):
            TelemetryConfig.model_validate(document)
    salted = TelemetryConfig.model_validate({"redaction": HASHES, "rules": [of_rule]})
    by_rule = TelemetryConfig.model_validate(
        {"redaction": {"salt_secret": "telemetry-salt"}, "rules": [of_rule]}
    )
    assert salted.hashes
    assert by_rule.hashes
