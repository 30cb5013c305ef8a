"""What operators type, over a stack in memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.adapters.sqs.actions import SqsActions
from reflexarc.cli.incidents import incidents_app
from reflexarc.events.action import Action
from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.page import Entry, Mute, Page, Step, page_key
from reflexarc.incidents.model import Commit, IncidentWrite, PageWrite
from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime import operator
from tests.support.aws import aws, drain, dynamodb, make_table, queue, sqs
from tests.support.notices import NOW, PAGERDUTY, SLACK, member

ROOT = Path(__file__).parents[3]
TABLE = "incidents"
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def stack() -> Iterator[None]:
    def find(name: str, endpoint: str | None) -> operator.Deployment:
        if name != "reflexarc":
            raise Unavailable(f"there is no stack named {name} here", endpoint)
        client = dynamodb()
        return operator.Deployment(
            IncidentList(client, TABLE),
            ConfigDocument(client, TABLE),
            actions=SqsActions(sqs(), sqs().get_queue_url(QueueName="signals")["QueueUrl"]),
        )

    with aws(), pytest.MonkeyPatch.context() as patch:
        make_table(dynamodb(), TABLE)
        queue(sqs(), "signals")
        patch.setattr(operator, "find", find)
        yield


def opened() -> Incident:
    text = (ROOT / "events" / "examples" / "incident.json").read_text()
    incident = Incident.model_validate_json(text)
    page = Page(
        scope="a" * 32,
        generation=1,
        version=1,
        state="open",
        family="gpu-lost",
        by={"cluster": "east"},
        severity=incident.severity,
        lead=incident,
        opened_at=incident.opened_at,
        accepts_until=incident.opened_at,
        channels=(PAGERDUTY, SLACK),
        routes=("critical",),
        steps=(Step(kind="escalate", at=incident.opened_at, channels=("manager",)),),
        history=(Entry(number=1, at=incident.opened_at, what="opened, told to pagerduty, slack"),),
    )
    incident = incident.model_copy(update={"page": page.ref, "why": ("because of its family",)})
    page = page.model_copy(update={"lead": incident})
    others = [member(gpu, f"node-{gpu}", joined_at=incident.opened_at) for gpu in range(1, 25)]
    DynamoIncidentBook(dynamodb(), TABLE).commit(
        Commit(
            at=incident.opened_at,
            incidents=(IncidentWrite(incident=incident, expected=0),),
            pages=(PageWrite(page=page, expected=0, said=page.history),),
            joined=tuple((page.ref, each) for each in others),
        )
    )
    return incident


def page_id() -> str:
    return page_key(PageRef(scope="a" * 32, generation=1))[:8]


def sent() -> list[Action]:
    queue = sqs().get_queue_url(QueueName="signals")["QueueUrl"]
    return [Action.model_validate_json(message["Body"]) for message in drain(sqs(), queue)]


def test_an_empty_list_says_so() -> None:
    assert run(incidents_app, ["list"]).output == "No open incidents.\n"


def test_the_list_names_what_is_broken_and_where() -> None:
    incident = opened()

    shown = run(incidents_app, ["list", "--each"]).output

    assert incident.fingerprint[:12] in shown
    assert page_id() in shown
    assert "Xid 79: GPU has fallen off the bus" in shown
    assert "GPU 0000:3b:00 on gpu-node-7" in shown


def joined(incident: Incident, gpu: int, fingerprint: str = "") -> Incident:
    entity = incident.entity.model_copy(update={"device": f"0000:{gpu:02x}:00"})
    other = incident.model_copy(
        update={"entity": entity, "fingerprint": fingerprint or entity.fingerprint, "version": 1}
    )
    DynamoIncidentBook(dynamodb(), TABLE).commit(
        Commit(at=incident.opened_at, incidents=(IncidentWrite(incident=other, expected=0),))
    )
    return other


def test_the_list_has_one_line_a_page_with_how_far_it_reaches() -> None:
    incident = opened()
    for gpu in range(3):
        joined(incident, gpu)

    head, *lines = run(incidents_app, ["list"]).output.splitlines()

    assert head.split()[:3] == ["ID", "SEVERITY", "STATE"]
    (line,) = lines
    assert line.split()[:3] == [page_id(), "critical", "open"]
    assert "4 GPUs of gpu-node-7" in line
    assert "Xid 79: GPU has fallen off the bus" in line


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({"state": "acked", "acked_by": "ana", "acked_at": NOW}, "acked by ana"),
        ({"muted": Mute(kind="silence", name="s")}, "muted: silence"),
        ({"flapping": True}, "open, flapping"),
        ({"state": "resolved", "resolved_by": "ana"}, "resolved by ana"),
        ({"state": "resolved"}, "resolved"),
    ],
)
def test_the_list_says_who_has_a_page(changes: dict[str, Any], standing: str) -> None:
    incident = opened()
    assert incident.page
    book = DynamoIncidentBook(dynamodb(), TABLE)
    page = book.page(incident.page)
    assert page
    changed = page.model_copy(update=changes | {"version": 2, "steps": ()})
    book.commit(Commit(at=NOW, pages=(PageWrite(page=changed, expected=1),)))

    line = run(incidents_app, ["list"]).output.splitlines()[1]

    assert line.split("critical")[1].split("  ")[1].strip() == standing


def test_what_nobody_was_told_of_is_listed_by_its_own_id() -> None:
    incident = opened().model_copy(update={"page": None, "version": 2})
    DynamoIncidentBook(dynamodb(), TABLE).commit(
        Commit(at=incident.opened_at, incidents=(IncidentWrite(incident=incident, expected=1),))
    )

    line = run(incidents_app, ["list"]).output.splitlines()[1]

    assert line.startswith(f"{incident.fingerprint[:8]} ")
    assert "open, not told" in line


def test_a_page_whose_lead_is_well_is_listed_by_what_is_still_broken() -> None:
    incident = opened()
    update = {"state": "resolved", "resolved_at": NOW, "version": 2}
    well = incident.model_copy(update=update)
    book = DynamoIncidentBook(dynamodb(), TABLE)
    book.commit(Commit(at=NOW, incidents=(IncidentWrite(incident=well, expected=1),)))
    joined(incident.model_copy(update={"title": "Xid 94: contained memory error"}), 1)

    line = run(incidents_app, ["list"]).output.splitlines()[1]

    assert "GPU 0000:01:00 on gpu-node-7" in line
    assert "Xid 94: contained memory error" in line


def test_no_line_is_cut_in_a_pipe_and_none_is_coloured() -> None:
    opened()

    output = run(incidents_app, ["list", "--each"]).output

    assert len(output.splitlines()) == 2
    assert "\x1b" not in output


def test_a_beginning_that_several_share_names_some_of_them() -> None:
    incident = opened()
    start = incident.fingerprint[:8]
    for gpu in range(6):
        joined(incident, gpu, fingerprint=f"{start}{gpu:024x}")

    result = run(incidents_app, ["show", start])

    assert result.exit_code == 1
    assert f"several begin with {start}: {start}" in result.output
    assert "(GPU 0000:05:00 on gpu-node-7)" in result.output
    assert "and 2 more; type more of the id" in result.output


@pytest.mark.parametrize("command", ["show", "ack", "resolve"])
@pytest.mark.parametrize("beginning", ["", " ", "a"])
def test_next_to_nothing_of_an_id_means_nothing(command: str, beginning: str) -> None:
    opened()

    result = run(incidents_app, [command, beginning])

    assert result.exit_code == 1
    assert "type at least 3 characters" in result.output
    assert sent() == []


def test_json_lines_are_incidents() -> None:
    incident = opened()

    (line,) = run(incidents_app, ["list", "--json"]).output.splitlines()

    assert Incident.model_validate_json(line) == incident


def test_an_incident_is_shown_by_the_beginning_of_its_id() -> None:
    incident = opened()

    result = run(incidents_app, ["show", incident.fingerprint[:6]], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert "Drain the node and reboot it." in result.output
    for told in (
        "incident decided",
        "because of its family",
        f"{page_id()}, open, generation 1",
        "family gpu-lost by cluster=east",
        "pagerduty, slack (critical)",
        "25 GPUs of 25 nodes; 25 of 25 still open",
        "node-3: 1 GPU",
        "and 5 more (--json has all)",
        "escalate manager at",
        "opened, told to pagerduty, slack",
    ):
        assert told in result.output


def test_an_incident_is_found_by_the_id_of_the_page_that_an_alert_shows() -> None:
    incident = opened()

    document = json.loads(run(incidents_app, ["show", page_id(), "--json"]).output)

    assert document["incident"]["fingerprint"] == incident.fingerprint


@pytest.mark.parametrize(
    ("command", "act"),
    [("ack", "ack"), ("resolve", "resolve"), ("not-a-fault", "not_a_fault")],
)
def test_what_a_person_types_is_queued_as_what_they_did(command: str, act: str) -> None:
    incident = opened()

    result = run(incidents_app, [command, incident.fingerprint[:8], "--by", "ana"])

    assert result.exit_code == 0
    assert result.output == f"page {page_id()}: {act.replace('_', ' ')} by ana is on its way\n"
    [action] = sent()
    assert (action.act, action.page, action.person.name) == (act, incident.page, "ana")


def test_a_silence_of_a_page_says_how_long() -> None:
    opened()

    run(incidents_app, ["silence", page_id(), "--for", "90m", "--reason", "swap", "--by", "ana"])

    [action] = sent()
    assert (action.act, action.for_s, action.reason) == ("silence", 5_400, "swap")


@pytest.mark.parametrize("lasts", ["soon", "31d", "999999d"])
def test_a_silence_that_does_not_end_within_a_month_is_refused(lasts: str) -> None:
    opened()

    result = run(incidents_app, ["silence", page_id(), "--for", lasts])

    assert result.exit_code == 2
    assert sent() == []


def test_acting_on_what_nobody_was_told_of_is_an_error() -> None:
    incident = opened().model_copy(update={"page": None, "version": 2})
    DynamoIncidentBook(dynamodb(), TABLE).commit(
        Commit(at=incident.opened_at, incidents=(IncidentWrite(incident=incident, expected=1),))
    )

    result = run(incidents_app, ["ack", incident.fingerprint])

    assert result.exit_code == 1
    assert "there is no page to act on" in result.output


def test_acting_on_what_is_resolved_is_an_error_that_says_by_whom() -> None:
    incident = opened()
    book = DynamoIncidentBook(dynamodb(), TABLE)
    assert incident.page
    page = book.page(incident.page)
    assert page
    update = {"state": "resolved", "resolved_by": "ana", "version": 2, "steps": ()}
    over = page.model_copy(update=update)
    book.commit(Commit(at=incident.opened_at, pages=(PageWrite(page=over, expected=1),)))

    result = run(incidents_app, ["ack", page_id()])

    assert result.exit_code == 1
    assert f"page {page_id()} was resolved by ana: nothing was done" in result.output


def test_an_incident_as_json_holds_its_deliveries() -> None:
    incident = opened()

    document = json.loads(run(incidents_app, ["show", incident.fingerprint, "--json"]).output)

    assert document["incident"]["fingerprint"] == incident.fingerprint
    assert (document["attempts"], len(document["members"])) == ([], 24)
    assert document["page"]["family"] == "gpu-lost"
    assert document["history"][0]["what"] == "opened, told to pagerduty, slack"


@pytest.mark.parametrize("asked", ["abc", "f" * 32])
def test_an_unknown_incident_is_an_error(asked: str) -> None:
    result = run(incidents_app, ["show", asked])

    assert result.exit_code == 1
    assert asked in result.output


def test_another_stack_is_a_readable_error() -> None:
    result = run(incidents_app, ["list", "--stack", "nowhere"])

    assert result.exit_code == 1
    assert "there is no stack named nowhere" in result.output
