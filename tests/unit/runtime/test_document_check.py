"""Every problem of a document at once, each where it stands."""

from typing import Any

import pytest

from reflexarc.runtime.document_check import examine
from tests.support.incidents import NOW

PAGER = {"name": "pager", "kind": "pagerduty"}
SLACK = {"name": "slack", "kind": "slack", "destination": "C0PAGES"}
ALL = {"channels": ["pager", "slack"]}


def found(document: Any) -> list[tuple[str, str]]:
    """Return (place, what) of every problem."""
    return [(".".join(map(str, each.place)), each.what) for each in examine(document, NOW)]


def incidents(**parts: Any) -> dict[str, Any]:
    return {"incidents": {"channels": [PAGER, SLACK], "routes": [ALL]} | parts}


@pytest.mark.parametrize("document", [{}, {"gpu": {}}, incidents()])
def test_a_sound_document_has_no_problems(document: Any) -> None:
    assert found(document) == []


@pytest.mark.parametrize("document", [[], "text", 7, None])
def test_what_is_no_document_is_said_to_be_none(document: Any) -> None:
    assert found(document) == [("", "this should be settings, each as name: value")]


def test_a_malformed_part_does_not_hide_what_is_wrong_with_the_others() -> None:
    document = incidents(
        routes=[
            {"channels": ["pager"], "chanels": ["pager"]},
            {"channels": ["nobody"]},
            {"channels": ["pager"], "repeat": "often"},
            ALL | {"during": "dark"},
        ],
        hours=[{"name": "h", "timezone": "Nope/Zone"}],
        flaps=99,
    )

    assert [place for place, _ in found(document)] == [
        "incidents.routes.0.chanels",
        "incidents.routes.2.repeat",
        "incidents.flaps",
        "incidents.routes.1.channels.0",
        "incidents.routes.3.during",
        "incidents.hours.0.timezone",
    ]


def test_two_problems_of_one_entry_take_it_out_once() -> None:
    document = incidents(routes=[{"channels": [1], "repeat": "x"}, {"channels": ["nobody"]}])

    assert [place for place, _ in found(document)] == [
        "incidents.routes.0.channels.0",
        "incidents.routes.0.repeat",
        "incidents.routes.1.channels.0",
    ]


def test_the_only_channel_malformed_is_one_problem_and_not_three() -> None:
    document = {
        "incidents": {
            "channels": [{"name": "pager", "kind": "pagerdutty"}],
            "routes": [{"channels": ["pager"]}, {"channels": ["nobody"]}],
        }
    }

    assert [place for place, _ in found(document)] == [
        "incidents.channels.0.kind",
        "incidents.routes.1.channels.0",
    ]


def test_too_many_channels_are_one_problem_and_not_a_dozen() -> None:
    channels = [{"name": f"topic-{number}", "kind": "sns"} for number in range(9)]
    document = incidents(channels=channels, routes=[{"channels": ["topic-1", "nobody"]}])

    assert [place for place, _ in found(document)] == [
        "incidents.channels",
        "incidents.routes.0.channels.1",
    ]


def test_an_entry_that_is_no_mapping_is_taken_out_as_well() -> None:
    document = incidents(hours=["always"], routes=[ALL, {"channels": ["nobody"]}])

    assert [place for place, _ in found(document)] == [
        "incidents.hours.0",
        "incidents.routes.1.channels.0",
    ]


def test_the_gpu_part_is_looked_at_too() -> None:
    document = {"gpu": {"overrides": [{"code": "x"}, {"code": 94, "sevrity": "info"}]}} | incidents(
        routes=[ALL, {"channels": ["nobody"]}]
    )

    assert [place for place, _ in found(document)] == [
        "gpu.overrides.0.code",
        "gpu.overrides.1.sevrity",
        "incidents.routes.1.channels.0",
    ]


def test_a_price_without_a_name_is_taken_out_alone() -> None:
    document = {"gpu": {"hourly_usd": {"": 1, "H100": "x"}}} | incidents(hours=[{"name": "h"}] * 2)

    assert [place for place, _ in found(document)] == [
        "gpu.hourly_usd..[key]",
        "gpu.hourly_usd.H100",
        "incidents.hours.1.name",
    ]


def test_a_part_that_is_something_else_altogether_is_one_problem() -> None:
    assert [place for place, _ in found({"incidents": ["channels"]})] == ["incidents"]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"chanels": []}, "there is no such setting (a typo?)"),
        ({"routes": [{}]}, "this is missing"),
        (
            {"routes": [{"channels": ["pager"], "match": {"labels": {"xid": 79}}}]},
            "this should be text: write it in quotes",
        ),
        (
            {
                "maintenance": [
                    {"name": "m", "match": {}, "reason": "r", "ends": "2027-01-01T00:00:00"}
                ]
            },
            "say the zone of this time: end it with Z or +01:00",
        ),
        ({"routes": {"channels": ["pager"]}}, "this should be a list"),
        (
            {"routes": [{"channels": []}]},
            "this needs an entry at least",
        ),
        (
            {"channels": [PAGER] * 9},
            "this has too many entries: at most 8 may be there",
        ),
        ({"window": "soon"}, "write a span as 90s, 10m, 4h or 2d"),
    ],
)
def test_what_is_malformed_is_said_in_plain_words(parts: dict[str, Any], says: str) -> None:
    assert found(incidents(**parts))[0][1] == says
