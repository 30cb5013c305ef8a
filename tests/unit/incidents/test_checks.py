"""What a push refuses or warns of, each at its place."""

from typing import Any

import pytest

from reflexarc.events.problems import Problem
from reflexarc.incidents.checks import broken_names
from reflexarc.incidents.document import Match
from reflexarc.incidents.push_checks import impossible, problems
from tests.support.incidents import NOW, at
from tests.support.policy import CHANNELS, stated

ALL = {"name": "all", "channels": ["pager", "gpu-alerts", "ml-jobs"]}
OFFICE = {"name": "office", "timezone": "Europe/Berlin"}
IN_OFFICE = {"channels": ["pager"], "during": "office"}
NODE = {"labels": {"node": "gpu-7"}}
WORK = {"name": "riser", "match": NODE, "reason": "swap", "ends": "2027-01-01T00:00:00Z"}
QUIET = {"name": "quiet", "source": {"causes": ["a/*"]}, "target": NODE, "equal": ["node"]}
FAMILY = {"family": "heat", "causes": ["thermal/*"], "by": ["rack|node", "cluster"]}


def found(known: frozenset[str] = frozenset(), **parts: Any) -> list[tuple[str, str, str]]:
    """Return (level, place, what) of every problem; all channels are told by one route."""
    given = problems(stated(**({"routes": [ALL]} | parts)), NOW, known)
    return [(each.level, ".".join(map(str, each.place)), each.what) for each in given]


def channel(**fields: Any) -> list[dict[str, Any]]:
    return [*CHANNELS, {"name": "new"} | fields]


def test_a_sound_document_has_no_problems() -> None:
    parts: dict[str, Any] = {
        "routes": [ALL, IN_OFFICE],
        "hours": [OFFICE],
        "maintenance": [WORK],
        "inhibitions": [QUIET],
        "groupings": [FAMILY],
        "dead_man_url": "https://deadman.example/ping/1",
    }

    assert found(**parts) == []


@pytest.mark.parametrize(
    ("parts", "place", "says"),
    [
        ({"channels": [], "routes": []}, "channels", "there is no channel: nobody"),
        ({"channels": [*CHANNELS, CHANNELS[0]]}, "channels.3.name", "is named pager"),
        ({"routes": [ALL, ALL]}, "routes.1.name", "more than one of the routes is named all"),
        ({"hours": [OFFICE, OFFICE], "routes": [ALL, IN_OFFICE]}, "hours.1.name", "named office"),
        ({"maintenance": [WORK, WORK]}, "maintenance.1.name", "is named riser"),
        ({"inhibitions": [QUIET, QUIET]}, "inhibitions.1.name", "is named quiet"),
        ({"groupings": [FAMILY, FAMILY]}, "groupings.1.family", "is named heat"),
        (
            {"routes": [ALL, {"channels": ["pager", "slak"]}]},
            "routes.1.channels.1",
            "there is no channel slak; there are: pager, gpu-alerts, ml-jobs",
        ),
        (
            {
                "routes": [
                    ALL,
                    {"channels": ["pager"], "escalate": [{"after": "5m", "channels": ["boss"]}]},
                ]
            },
            "routes.1.escalate.0.channels.0",
            "there is no channel boss",
        ),
        ({"routes": [ALL, IN_OFFICE]}, "routes.1.during", "no hours office; there are: none"),
        ({"maintenance": [WORK | {"during": "night"}]}, "maintenance.0.during", "no hours night"),
    ],
)
def test_names_that_lead_nowhere_are_errors(parts: dict[str, Any], place: str, says: str) -> None:
    errors = [(where, what) for level, where, what in found(**parts) if level == "error"]

    assert [where for where, _ in errors] == [place]
    assert says in errors[0][1]


def test_names_of_parts_that_could_not_be_read_are_not_missed() -> None:
    parts = {"routes": [ALL, {"channels": ["lost"], "during": "dark"}]}

    assert found(frozenset({"lost", "dark"}), **parts) == []


def test_a_document_without_channels_that_lost_one_is_not_told_that_there_is_none() -> None:
    assert broken_names(stated(channels=[]), frozenset({"lost"})) == ()


@pytest.mark.parametrize(
    ("fields", "fine"),
    [
        ({"kind": "slack"}, False),
        ({"kind": "slack", "destination": "gpu alerts"}, False),
        ({"kind": "slack", "destination": "C0/NEW"}, False),
        ({"kind": "slack", "destination": "#gpu-new"}, True),
        ({"kind": "slack", "destination": "C0NEW"}, True),
        ({"kind": "webhook"}, False),
        ({"kind": "webhook", "destination": "http://hooks.example/a"}, False),
        ({"kind": "webhook", "destination": "https://me:secret@hooks.example/a"}, False),
        ({"kind": "webhook", "destination": "https://hooks.example/a?b=c"}, True),
        ({"kind": "sns", "destination": "arn:aws:sns:eu-west-1:123456789012:theirs"}, False),
        ({"kind": "sns"}, True),
        ({"kind": "pagerduty", "secret": "other", "destination": "P123"}, False),
        ({"kind": "pagerduty", "secret": "other"}, True),
    ],
)
def test_each_kind_of_channel_has_destinations_of_its_own(
    fields: dict[str, Any], *, fine: bool
) -> None:
    routes = [ALL, {"channels": ["new"]}]
    errors = [
        each for each in found(channels=channel(**fields), routes=routes) if each[0] == "error"
    ]

    assert [place for _, place, _ in errors] == ([] if fine else ["channels.3.destination"])


def test_two_channels_to_the_same_people_are_a_warning() -> None:
    twins = channel(kind="slack", destination="C0MLJOBS")

    assert found(channels=twins, routes=[ALL, {"channels": ["new"]}]) == [
        (
            "warning",
            "channels.3",
            "new and ml-jobs tell the same people: what goes to both is told twice",
        )
    ]


@pytest.mark.parametrize(
    ("match", "place"),
    [
        ({}, None),
        ({"severity": ["critical"], "labels": {"severity": "crit*"}}, None),
        ({"severity": ["critical"], "labels": {"severity": "warning"}}, "labels.severity"),
        ({"labels": {"severity": "fatal"}}, "labels.severity"),
        ({"owner": ["job"], "labels": {"owner": "oncall"}}, "labels.owner"),
        ({"labels": {"kind": "g?u"}}, None),
        ({"labels": {"kind": "cpu"}}, "labels.kind"),
        ({"labels": {"cause": ""}}, "labels.cause"),
        ({"labels": {"owner": ""}}, "labels.owner"),
        ({"labels": {"node": "", "rack": "?"}}, None),
    ],
)
def test_conditions_that_nothing_can_meet_are_told_with_their_place(
    match: dict[str, Any], place: str | None
) -> None:
    why = impossible(Match.model_validate(match))

    assert (why and ".".join(map(str, why[0]))) == place


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"routes": [ALL, {"channels": ["pager"], "match": "M"}]}, "routes.1.match.labels.kind"),
        ({"maintenance": [WORK | {"match": "M"}]}, "maintenance.0.match.labels.kind"),
        ({"inhibitions": [QUIET | {"source": "M"}]}, "inhibitions.0.source.labels.kind"),
        ({"inhibitions": [QUIET | {"target": "M"}]}, "inhibitions.0.target.labels.kind"),
    ],
)
def test_what_can_never_match_is_refused_wherever_it_stands(
    parts: dict[str, list[dict[str, Any]]], place: str
) -> None:
    never = {"labels": {"kind": "cpu"}}
    filled: dict[str, Any] = {
        part: [
            {key: never if value == "M" else value for key, value in each.items()}
            for each in entries
        ]
        for part, entries in parts.items()
    }

    assert [(level, where) for level, where, _ in found(**filled)] == [("error", place)]


@pytest.mark.parametrize(
    ("route", "place"),
    [
        ({"channels": ["pager", "pager"]}, "routes.1.channels.1"),
        (
            {"channels": ["pager"], "escalate": [{"after": "5m", "channels": ["pager"]}]},
            "routes.1.escalate.0.channels.0",
        ),
        (
            {
                "channels": ["pager"],
                "escalate": [
                    {"after": "5m", "channels": ["ml-jobs"]},
                    {"after": "9m", "channels": ["gpu-alerts", "ml-jobs"]},
                ],
            },
            "routes.1.escalate.1.channels.1",
        ),
        ({"channels": ["pager"], "repeat": "59s"}, "routes.1.repeat"),
    ],
)
def test_a_route_tells_a_channel_once_and_reminds_at_most_once_a_minute(
    route: dict[str, Any], place: str
) -> None:
    assert [where for _, where, _ in found(routes=[ALL, route])] == [place]


@pytest.mark.parametrize(
    "routes",
    [
        [{"match": {"severity": ["warning"]}, "channels": ALL["channels"]}],
        [{"match": {"labels": {"severity": "info"}}, "channels": ALL["channels"]}],
    ],
)
def test_a_document_that_tells_nobody_of_critical_incidents_is_warned_of(routes: Any) -> None:
    said = "no route takes critical incidents: nobody is told of them"

    assert found(routes=routes) == [("warning", "routes", said)]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"timezone": "Nope/Zone"}, "hours.0.timezone"),
        ({"start": "09:00", "end": "09:00"}, "hours.0.end"),
        ({"days": ["mon", "tue", "mon"]}, "hours.0.days"),
    ],
)
def test_hours_that_cannot_be_meant_are_errors(fields: dict[str, Any], place: str) -> None:
    problem = found(hours=[OFFICE | fields], routes=[ALL, IN_OFFICE])

    assert [(level, where) for level, where, _ in problem] == [("error", place)]


@pytest.mark.parametrize("label", ["fabric|", "|", " node", "a||b"])
def test_a_label_to_group_by_is_a_name_or_alternatives(label: str) -> None:
    problem = found(groupings=[FAMILY | {"by": ["node", label]}])

    assert [(level, where) for level, where, _ in problem] == [("error", "groupings.0.by.1")]


@pytest.mark.parametrize("source", [NODE, {}])
def test_an_inhibition_that_inhibits_itself_is_refused(source: dict[str, Any]) -> None:
    problem = found(inhibitions=[QUIET | {"source": source}])

    assert [(level, where) for level, where, _ in problem] == [("error", "inhibitions.0.source")]


def test_an_inhibition_of_the_whole_fleet_is_a_warning() -> None:
    problem = found(inhibitions=[QUIET | {"equal": []}])

    assert [(level, where) for level, where, _ in problem] == [("warning", "inhibitions.0")]


@pytest.mark.parametrize(
    ("work", "level", "place"),
    [
        ({"ends": None}, "error", "maintenance.0"),
        ({"starts": "2027-01-01T00:00:00Z"}, "error", "maintenance.0.ends"),
        ({"ends": NOW}, "warning", "maintenance.0.ends"),
        ({"match": {}}, "warning", "maintenance.0.match"),
    ],
)
def test_planned_work_must_end_and_had_better_not_have_ended(
    work: dict[str, Any], level: str, place: str
) -> None:
    problem = found(maintenance=[WORK | work])

    assert [(mild, where) for mild, where, _ in problem] == [(level, place)]


def test_work_every_week_needs_no_end() -> None:
    weekly = WORK | {"ends": None, "starts": at(0), "during": "office"}

    assert found(maintenance=[weekly], hours=[OFFICE]) == []


@pytest.mark.parametrize("url", ["http://deadman.example/1", "https://u:p@deadman.example", "x"])
def test_the_dead_mans_url_is_https(url: str) -> None:
    assert [where for _, where, _ in found(dead_man_url=url)] == ["dead_man_url"]


def test_what_nothing_names_is_a_warning() -> None:
    told = {
        "channels": ["pager"],
        "escalate": [{"after": "5m", "channels": ["gpu-alerts"]}],
    }

    assert found(routes=[told], hours=[OFFICE]) == [
        ("warning", "channels.2", "nothing names ml-jobs"),
        ("warning", "hours.0", "nothing names office"),
    ]


def test_a_problem_is_one_line_with_its_place_first() -> None:
    placed = Problem(place=("routes", 1, "during"), what="there are no hours x")

    assert str(placed) == "routes.1.during: there are no hours x"
    assert str(Problem(place=(), what="not YAML")) == "not YAML"
