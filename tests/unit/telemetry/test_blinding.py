"""A rule that certainly takes what somebody reads is found out; a doubt is none of that."""

import pytest

from reflexarc.engines.ottl.check import check
from reflexarc.engines.ottl.parser import parse
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.reads import Read
from reflexarc.telemetry.blinding import Asked, blindings, judgement_of, known_of

LINE = "NVRM: Xid (PCI:0000:3b:00): 79"
PAGES = Read(who="pages", signal="logs", conditions=(), witnesses=({"body": LINE},))
HEALTH = Read(
    who="health",
    signal="metrics",
    conditions=(),
    witnesses=({"name": "DCGM_TEMP", "unit": "C"}, {"name": "DCGM_POWER", "unit": "W"}),
)
KNOWN = known_of({"body": LINE, "severity_number": 9, 'attributes["host"]': "n"}, "logs")


def asked(
    text: str, action: str = "drop", signal: OtlpSignal = "logs", context: str = "log"
) -> Asked:
    condition = parse(text, context)
    check(condition, context, text)
    return Asked(action, signal, [(context, condition)])


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('IsMatch(body, "Xid")', True),
        ('IsMatch(body, "nothing of it")', False),
        ("severity_number < SEVERITY_NUMBER_WARN", True),
        ("severity_number > 9", False),
        ('attributes["host"] == "n"', True),
        ('attributes["host"] != "m"', True),
        ('attributes["other"] == "n"', None),
        ('resource.attributes["service.name"] == "x"', None),
        ('IsMatch(body, "Xid") and attributes["other"] == "n"', None),
        ('IsMatch(body, "no") and attributes["other"] == "n"', False),
        ('IsMatch(body, "Xid") or attributes["other"] == "n"', True),
        ('IsMatch(body, "no") or attributes["other"] == "n"', None),
        ('not IsMatch(body, "no")', True),
        ('not (attributes["other"] == "n")', None),
        ("true", True),
        ("false", False),
        ("Len(body) > 0 and IsString(body)", True),
        # What raises leaves the item as it is.
        ("Len(severity_number) > 0", None),
        ("UnixSeconds(Now()) > 5", None),
        ('attributes[attributes["host"]] == nil', None),
    ],
)
def test_conditions_are_judged_on_what_is_known(text: str, *, verdict: bool | None) -> None:
    condition = parse(text, "log")
    check(condition, "log", text)

    assert judgement_of(condition)(KNOWN) is verdict


def test_a_rule_that_takes_what_is_read_is_named_with_whom_it_blinds() -> None:
    (found,) = blindings([asked('IsMatch(body, "^NVRM")')], [PAGES, HEALTH])

    assert (found.rule, str(found)) == (
        0, f"this would blind pages: it takes body '{LINE}', which is read",
    )  # fmt: skip


def test_further_things_that_it_takes_are_counted() -> None:
    by_points = asked("metric.unit != nil", "aggregate", "metrics", "datapoint")

    (found,) = blindings([by_points], [PAGES, HEALTH])

    assert str(found) == (
        "this would blind health: it takes name 'DCGM_TEMP', unit 'C' and 1 more that are read"
    )


@pytest.mark.parametrize(
    "harmless",
    [
        asked("true", signal="traces", context="span"),
        asked("true", "keep"),
        asked("true", "redact"),
        asked('IsMatch(body, "Xid") and severity_number < 5'),
        asked("true", signal="traces", context="spanevent"),
    ],
)
def test_what_leaves_them_blinds_nobody(harmless: Asked) -> None:
    assert list(blindings([harmless], [PAGES])) == []


def test_what_an_earlier_rule_keeps_no_later_one_takes() -> None:
    keeps, takes = asked('IsMatch(body, "Xid")', "keep"), asked("true")

    assert list(blindings([keeps, takes], [PAGES])) == []
    assert [found.rule for found in blindings([takes, keeps], [PAGES])] == [0]


def test_every_rule_that_blinds_is_told() -> None:
    rules = [asked("true"), asked('body == "other"'), asked('IsMatch(body, "79")', "sample")]

    assert [found.rule for found in blindings(rules, [PAGES])] == [0, 2]
