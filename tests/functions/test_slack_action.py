"""The handler of slack_action over real adapters on an AWS in memory, fed with its URL's events."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.slack_action.handler import handler as slack_action
from reflexarc.actions.model import Post
from reflexarc.events.action import Action
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime import actions_wiring, clients, observability
from tests.functions.environment import SLACK_ACTION
from tests.functions.test_imports import FORBIDDEN, run
from tests.support.aws import REGION, Faults, aws, drain, dynamodb, make_table, queue, sqs
from tests.unit.actions.fakes import SCOPE, SECRET, form, payload, signed

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

TABLE = "reflexarc-incidents"
ENVELOPES = Path(__file__).parents[2] / "events" / "lambda"
CACHES = (
    actions_wiring.click_service,
    clients._session,
    clients._client,
    observability.logger,
    observability.metrics,
)


@dataclass(frozen=True)
class Cloud:
    sqs: "SQSClient"
    signals: str
    secrets: "SecretsManagerClient"
    patch: pytest.MonkeyPatch

    def actions(self) -> list[Action]:
        found = drain(self.sqs, self.signals)
        return [Action.model_validate_json(message["Body"]) for message in found]

    def rows(self) -> list[str]:
        return [item["pk"]["S"] for item in dynamodb().scan(TableName=TABLE)["Items"]]

    def nothing_happened(self) -> bool:
        return not self.actions() and not self.rows()

    def fill(self, **secret: str) -> None:
        self.secrets.put_secret_value(
            SecretId="reflexarc/slack", SecretString=json.dumps({"token": "xoxb-1", **secret})
        )


def forget() -> None:
    for cached in CACHES:
        cached.cache_clear()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with aws(), pytest.MonkeyPatch.context() as patch:
        forget()
        for name, value in SLACK_ACTION.items():
            if not name.startswith("AWS_"):
                patch.setenv(name, value)
        make_table(dynamodb(), TABLE)
        secrets = boto3.client("secretsmanager", region_name=REGION)
        made = secrets.create_secret(Name="reflexarc/slack", SecretString='{"token": ""}')
        client = sqs()
        url = queue(client, "reflexarc-signals")
        patch.setenv("INCIDENTS_TABLE", TABLE)
        patch.setenv("SIGNALS_QUEUE_URL", url)
        patch.setenv("SLACK_SECRET_ARN", made["ARN"])
        built = Cloud(client, url, secrets, patch)
        built.fill(signing_secret=SECRET)
        yield built
        forget()


def envelope(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ENVELOPES / f"{name}.json").read_text())
    return read


def event(body: bytes, *, at: datetime | None = None, secret: str = SECRET) -> dict[str, Any]:
    """Return a function URL's event of a body that was signed, just now by default."""
    return wrapped(signed(body, at=at or system_clock(), secret=secret))


def wrapped(post: Post) -> dict[str, Any]:
    given = envelope("slack_action-ack")
    given["headers"]["x-slack-request-timestamp"] = post.timestamp
    given["headers"]["x-slack-signature"] = post.signature
    given["body"] = base64.b64encode(post.body).decode()
    return given


def body_of(name: str) -> bytes:
    return base64.b64decode(envelope(name)["body"])


def test_a_click_becomes_an_action_on_the_queue_and_slack_gets_an_empty_200(cloud: Cloud) -> None:
    answer = slack_action(event(body_of("slack_action-ack")), None)

    assert (answer["statusCode"], answer["body"]) == (200, "")
    (action,) = cloud.actions()
    assert (action.act, action.page.scope, action.page.generation) == ("ack", SCOPE, 3)
    assert (action.person.id, action.person.via) == ("U0ONCALL", "slack")
    (row,) = cloud.rows()
    assert row.startswith("CLICK#")


def test_a_text_body_is_a_click_too(cloud: Cloud) -> None:
    given = event(form(payload()))
    given["body"], given["isBase64Encoded"] = form(payload()).decode(), False

    assert slack_action(given, None)["statusCode"] == 200
    assert len(cloud.actions()) == 1


def test_a_replayed_click_is_refused_and_does_nothing(cloud: Cloud) -> None:
    given = event(form(payload()))
    slack_action(given, None)
    cloud.actions()
    forget()  # another execution environment gets the replay

    assert slack_action(given, None)["statusCode"] == 401
    assert cloud.actions() == []


def test_a_click_of_the_recorded_day_is_stale(cloud: Cloud) -> None:
    assert slack_action(envelope("slack_action-ack"), None)["statusCode"] == 401
    assert cloud.actions() == []


def test_the_forged_click_is_refused(cloud: Cloud) -> None:
    given = event(body_of("slack_action-forged"), secret="guessed")

    assert slack_action(given, None)["statusCode"] == 401
    assert slack_action(envelope("slack_action-forged"), None)["statusCode"] == 401
    assert cloud.nothing_happened()


def test_another_apps_button_does_nothing(cloud: Cloud) -> None:
    answer = slack_action(event(body_of("slack_action-other-button")), None)

    assert (answer["statusCode"], answer["body"]) == (200, "")
    assert cloud.nothing_happened()


def headers(**changes: str) -> dict[str, Any]:
    given = event(form(payload()))
    given["headers"] |= {name.replace("_", "-"): value for name, value in changes.items()}
    return given


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: event(b"payload={"), 400),
        (lambda: event(form("[" * 300_000)), 400),
        (lambda: event(form(payload(user=None))), 400),
        (lambda: event(form(payload()) + b" " * 1024 * 1024), 400),
        (lambda: event(b""), 400),
        (lambda: event(form(payload())) | {"body": "no base64!"}, 401),
        (lambda: event(form(payload())) | {"body": None}, 401),
        (lambda: event(form(payload())) | {"headers": None}, 401),
        (lambda: event(form(payload()), at=system_clock() - timedelta(minutes=6)), 401),
        (lambda: headers(x_slack_signature="v0=" + "0" * 64), 401),
        (lambda: headers(x_slack_signature="\u00fc"), 401),
        (lambda: headers(x_slack_request_timestamp="soon"), 401),
        (dict, 500),
    ],
)
def test_what_is_hostile_or_broken_is_answered_and_changes_nothing(
    cloud: Cloud, make: Callable[[], dict[str, Any]], status: int
) -> None:
    answer = slack_action(make(), None)  # made now: a signature is good for five minutes

    assert answer["statusCode"] == status
    assert cloud.nothing_happened()


def test_another_method_is_told_which_one(cloud: Cloud) -> None:
    given = event(form(payload()))
    given["requestContext"]["http"]["method"] = "GET"

    answer = slack_action(given, None)

    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "POST")
    assert cloud.actions() == []


def test_without_a_signing_secret_a_click_says_what_to_do_in_the_log(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.patch.setenv("POWERTOOLS_SERVICE_NAME", "slack-action-without-secret")
    cloud.fill()

    answer = slack_action(event(form(payload())), None)

    assert (answer["statusCode"], answer["body"]) == (503, "")
    logged = capsys.readouterr().out
    assert "holds no signing_secret" in logged
    assert "put-secret-value" in logged
    assert cloud.actions() == []


def test_a_queue_that_is_gone_is_an_error_and_the_next_click_goes_through(cloud: Cloud) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.signals)
    assert slack_action(event(form(payload())), None)["statusCode"] == 500
    queue(cloud.sqs, "reflexarc-signals")

    assert slack_action(event(form(payload(trigger_id="next"))), None)["statusCode"] == 200
    assert len(cloud.actions()) == 1


def test_a_table_that_is_gone_is_an_error(cloud: Cloud) -> None:
    cloud.patch.setenv("INCIDENTS_TABLE", "no-such-table")

    assert slack_action(event(form(payload())), None)["statusCode"] == 500
    assert cloud.actions() == []


def test_an_environment_that_is_incomplete_is_answered_too(cloud: Cloud) -> None:
    cloud.patch.delenv("SIGNALS_QUEUE_URL")

    assert slack_action(event(form(payload())), None)["statusCode"] == 500


def test_one_click_costs_one_read_one_write_and_one_message(cloud: Cloud) -> None:
    calls = Faults()
    for client in (clients.secrets_manager(), clients.dynamodb(), clients.sqs()):
        calls.attach(client)

    slack_action(event(form(payload())), None)
    slack_action(event(form(payload(trigger_id="next"))), None)

    assert calls.calls == [
        "GetSecretValue", "PutItem", "SendMessage", "PutItem", "SendMessage",
    ]  # fmt: skip
    assert len(cloud.actions()) == 2


def test_neither_secret_nor_signature_nor_message_is_logged(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.patch.setenv("POWERTOOLS_SERVICE_NAME", "slack-action-that-is-listened-to")
    taken, forged = event(form(payload())), event(form(payload()), secret="x")
    said = "".join(
        json.dumps(slack_action(given, None))
        for given in (taken, taken, forged, event(form("{hush")), {"headers": taken["headers"]})
    )

    logged = "".join(capsys.readouterr())

    assert "click taken" in logged
    assert "click refused" in logged
    for hidden in (SECRET, "xoxb-1", "fell off", "hush", taken["headers"]["x-slack-signature"]):
        assert hidden not in logged + said


def test_slack_action_loads_nothing_of_the_page_path() -> None:
    program = """
import functions.slack_action.handler, sys
from reflexarc.runtime.actions_wiring import click_service
click_service()
print("\\n".join(sys.modules))
"""
    loaded = set(run(program, SLACK_ACTION).split())

    allowed = {"reflexarc.actions", "reflexarc.adapters.secrets", "reflexarc.adapters.slack"}
    unwanted = (FORBIDDEN - allowed) | {
        "reflexarc.gpu",
        "reflexarc.incidents",
        "reflexarc.runtime.wiring",
        "reflexarc.adapters.slack.web_api",
        "urllib3.contrib.socks",
    }
    assert loaded & unwanted == set()
