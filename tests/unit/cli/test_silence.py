"""`reflexarc silence`, over a stack in memory."""

import getpass
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.adapters.dynamodb.silences import DynamoSilences
from reflexarc.cli.silence import silence_app
from reflexarc.events.page import Silence
from reflexarc.runtime import operator
from tests.support.aws import aws, dynamodb, make_table
from tests.support.incidents import NOW, at
from tests.support.policy import silence

TABLE = "incidents"
ADD = ["add", "--label", "node=gpu-7", "--for", "2h", "--reason", "riser swap"]
run = CliRunner().invoke


class Desk:
    """A person at a terminal, at a time."""

    def __init__(self) -> None:
        self.now = NOW
        self.who = "night-shift"

    @property
    def book(self) -> DynamoSilences:
        return DynamoSilences(dynamodb(), TABLE)

    def clock(self) -> datetime:
        return self.now


@pytest.fixture
def desk() -> Iterator[Desk]:
    sitting = Desk()

    def find(name: str, endpoint: str | None) -> operator.Deployment:
        del name, endpoint
        client = dynamodb()
        return operator.Deployment(
            IncidentList(client, TABLE),
            ConfigDocument(client, TABLE),
            caller=lambda: sitting.who,
        )

    with aws(), pytest.MonkeyPatch.context() as patch:
        make_table(dynamodb(), TABLE)
        patch.setattr(operator, "find", find)
        patch.setattr(operator, "system_clock", sitting.clock)
        patch.setenv("COLUMNS", "200")
        yield sitting


def added(*more: str) -> dict[str, Any]:
    done = run(silence_app, [*ADD, "--json", *more])
    assert done.exit_code == 0, done.output
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def refusal(*arguments: str) -> str:
    done = run(silence_app, list(arguments))
    assert done.exit_code == 1, done.output
    return done.stderr


def test_a_silence_is_kept_with_who_why_and_until_when(desk: Desk) -> None:
    made = added("--label", "xid=79")

    (kept,) = desk.book.active(NOW)
    assert kept == Silence.model_validate({key: made[key] for key in made if key != "state"})
    assert kept.labels == {"node": "gpu-7", "xid": "79"}
    assert (kept.starts_at, kept.ends_at) == (NOW, NOW + timedelta(hours=2))
    assert (kept.author, kept.reason) == ("night-shift", "riser swap")


def test_people_are_told_its_id_and_its_end(desk: Desk) -> None:
    said = run(silence_app, ADD).stdout

    (kept,) = desk.book.active(NOW)
    assert said == f"silence {kept.id} is in force until 2026-03-01 14:00 UTC\n"


def test_an_author_may_be_named(desk: Desk) -> None:
    added("--author", "day-shift")

    assert [kept.author for kept in desk.book.active(NOW)] == ["day-shift"]


def test_where_aws_does_not_know_the_caller_it_is_who_is_logged_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.who = ""
    monkeypatch.setattr(getpass, "getuser", lambda: "ops")

    assert added()["author"] == "ops"


def test_nobody_is_no_author(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    desk.who = ""
    monkeypatch.setattr(getpass, "getuser", nobody)

    assert "say it with --author" in refusal(*ADD)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--for", "2h", "--reason", "r"], "name what to silence"),
        (["--label", "node=*", "--for", "2h", "--reason", "r"], "name what to silence"),
        (["--label", "node", "--for", "2h", "--reason", "r"], "write it as node=gpu-7"),
        (["--label", "a=b", "--for", "31d", "--reason", "r"], "within 30 days"),
        (["--label", "a=b", "--for", "for ever", "--reason", "r"], "write a span as 90s"),
        (["--label", "a=b", "--for", "2h", "--reason", " "], "say why"),
    ],
)
def test_what_may_not_be_silenced_is_refused_in_words(
    desk: Desk, arguments: list[str], says: str
) -> None:
    assert says in refusal("add", *arguments)
    assert desk.book.active(NOW) == ()


@pytest.mark.parametrize("missing", ["--for", "--reason"])
def test_an_end_and_a_reason_are_asked_for(desk: Desk, missing: str) -> None:
    place = ADD.index(missing)

    done = run(silence_app, ADD[:place] + ADD[place + 2 :])

    assert done.exit_code == 2
    assert desk.book.active(NOW) == ()


def test_a_silence_that_adds_nothing_is_refused_and_says_which_is_there(desk: Desk) -> None:
    there = added()

    said = refusal("add", "--label", "node=gpu-7", "--for", "1h", "--reason", "again")

    assert f"silence {there['id']} by night-shift keeps this quiet already" in said
    assert "until 2026-03-01 14:00 UTC" in said
    assert len(desk.book.active(NOW)) == 1


def test_a_silence_that_lasts_longer_is_added(desk: Desk) -> None:
    added()
    desk.now = at(60)
    added()

    assert len(desk.book.active(desk.now)) == 2


def test_the_list_shows_who_why_and_until_when(desk: Desk) -> None:
    desk.book.put(silence("01ARZ3NDEKTSV4RRFFQ69G5FAV", reason="[bold]riser[/] :rocket:"))

    said = run(silence_app, ["list"]).stdout

    for part in ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "in force", "node=node-7", "2026-03-01 13:00 UTC"):
        assert part in said
    assert "[bold]riser[/] :rocket:" in said


def test_what_is_over_is_listed_on_request(desk: Desk) -> None:
    desk.book.put(silence("S1"))
    desk.book.put(silence("S2", starts_at=at(7200), ends_at=at(9000)))
    desk.now = at(3600)

    some = run(silence_app, ["list", "--json"]).stdout.splitlines()
    everything = run(silence_app, ["list", "--all", "--json"]).stdout.splitlines()

    assert [(one["id"], one["state"]) for one in map(json.loads, some)] == [("S2", "planned")]
    assert [(one["id"], one["state"]) for one in map(json.loads, everything)] == [
        ("S1", "over"),
        ("S2", "planned"),
    ]


def test_an_empty_list_says_so(desk: Desk) -> None:
    assert desk.book.all() == ()
    assert run(silence_app, ["list"]).stdout == "No silences.\n"


def test_whoever_expires_a_silence_is_kept_with_it(desk: Desk) -> None:
    made = added()
    desk.now, desk.who = at(60), "day-shift"

    said = run(silence_app, ["expire", made["id"][:24]])

    assert said.stdout.startswith(f"silence {made['id']} is over")
    assert desk.book.active(desk.now) == ()
    (kept,) = desk.book.all()
    assert (kept.expired_by, kept.author, kept.ends_at) == ("day-shift", "night-shift", at(60))
    assert "ended by day-shift" in run(silence_app, ["list", "--all"]).stdout


def test_machines_read_what_became_of_it(desk: Desk) -> None:
    made = added()
    desk.now = at(60)

    said = json.loads(run(silence_app, ["expire", made["id"], "--json"]).stdout)

    assert (said["id"], said["state"]) == (made["id"], "ended by night-shift")


def test_a_silence_expires_once_and_an_unknown_one_never(desk: Desk) -> None:
    made = added()
    run(silence_app, ["expire", made["id"]])

    assert "is over already: it ended by night-shift" in refusal("expire", made["id"])
    assert "there is no silence that begins with 7ZZ" in refusal("expire", "7ZZ")
    assert len(desk.book.all()) == 1
