"""A kernel line becomes a page by way of the function URL: signed by AWS, or with a token."""

import gzip
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.session import get_session
from typer.testing import CliRunner

from reflexarc.adapters.dynamodb.senders import DynamoSenders
from reflexarc.adapters.dynamodb.tokens import DynamoTokens
from reflexarc.adapters.http.signers import SigV4Signer
from reflexarc.cli.tokens import tokens_app
from reflexarc.emulator import agents
from reflexarc.emulator.agents import Node
from reflexarc.emulator.function_url import Auth, FunctionUrl
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.processes import free_port, wait_until
from reflexarc.kernel.clock import system_clock
from tests.emulator.story import Story, batch, xid
from tests.emulator.troubles import Troubles
from tests.unit.ingest.fakes import body, made

pytestmark = pytest.mark.emulator
ADDRESS = "v1/gpu"
_numbers = itertools.count(1_000)


@contextmanager
def let_in_by(lane: Lane, auth: Auth) -> Iterator[None]:
    """Change the stack's IngestAuth, as a deployment would, for a while."""
    functions, name = lane.endpoint.client("lambda"), lane.stack.function("ingest")
    settings = functions.get_function_configuration(FunctionName=name)["Environment"]
    functions.update_function_configuration(
        FunctionName=name,
        Environment={"Variables": {**settings["Variables"], "INGEST_AUTH": auth}},
    )
    lane.ingest.auth = auth
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment=settings)
        lane.ingest.auth = "AWS_IAM"


def token_for(lane: Lane, source: str, **more: Any) -> tuple[str, str]:
    """Return id and text of a token that the stack knows."""
    token, text = made(source, next(_numbers), now=system_clock(), **more)
    table = lane.stack.outputs["IncidentsTableName"]
    DynamoTokens(lane.endpoint.client("dynamodb"), table).add(token)
    return token.id, text


def posted(
    lane: Lane, raw: bytes, headers: dict[str, str], path: str = ADDRESS
) -> tuple[int, dict[str, Any]]:
    answer = urllib3.request(
        "POST", f"{lane.ingest.url}{path}", body=raw, headers=headers, retries=False
    )
    return answer.status, json.loads(answer.data)


def signed(lane: Lane, raw: bytes, **headers: str) -> dict[str, str]:
    session = get_session()
    session.set_credentials(lane.agent_endpoint.access_key, lane.agent_endpoint.secret_key)
    signer = SigV4Signer(region=lane.endpoint.region, session=session)
    given = {"Content-Type": "application/octet-stream", **headers}
    return dict(signer.headers(f"{lane.ingest.url}{ADDRESS}", raw, given))


def running(story: Story, name: str, *options: str) -> Node:
    node = story.lane.https_node(name, *options)
    story.nodes.append(node)
    agents.wait_for([node])
    return node


def test_a_signed_agent_pages_once(story: Story) -> None:
    node = running(story, "https-signed")

    story.write(node, xid(79, says="pid=1, name=python3, GPU has fallen off the bus."))

    assert story.all_arrive_once()
    assert {page.channel for page in story.pages} == {"slack", "pagerduty"}


def test_an_agent_with_a_token_pages_once(story: Story, tmp_path: Path) -> None:
    _, text = token_for(story.lane, "https-token")
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(0o600)
    options = ("--https-auth", "token", "--token-file", str(file))

    with let_in_by(story.lane, "TOKEN"):
        node = running(story, "https-token", *options)
        story.write(node, xid(79))

        assert story.all_arrive_once()


def test_an_agent_waits_for_a_token_and_loses_nothing(story: Story, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(made("https-late")[1])
    file.chmod(0o600)
    options = ("--https-auth", "token", "--token-file", str(file))

    with let_in_by(story.lane, "TOKEN"):
        node = running(story, "https-late", *options)
        story.write(node, xid(79))
        assert wait_until(lambda: b"refuses this node" in node.agent.log.read_bytes(), 10)
        file.write_text(token_for(story.lane, "https-late")[1])

        assert story.all_arrive_once(timeout_s=30)
    assert made("https-late")[1].encode() not in node.agent.log.read_bytes()


def test_a_node_is_not_taken_for_another(story: Story) -> None:
    _, text = token_for(story.lane, "https-mine")
    raw = body(json.dumps(batch("https-theirs", xid(79))))

    with let_in_by(story.lane, "TOKEN"):
        status, said = posted(story.lane, raw, {"Authorization": f"Bearer {text}"})

    assert status == 403
    assert "https-mine, not for node" in said["error"]


def test_a_revoked_token_opens_nothing_within_half_a_minute(story: Story) -> None:
    token_id, text = token_for(story.lane, "https-gone")
    table = story.lane.stack.outputs["IncidentsTableName"]
    book = DynamoTokens(story.lane.endpoint.client("dynamodb"), table)
    book.revoke(token_id, system_clock() - timedelta(seconds=1))
    raw = body(json.dumps(batch("https-gone", xid(79))))

    with let_in_by(story.lane, "TOKEN"):
        status, said = posted(story.lane, raw, {"Authorization": f"Bearer {text}"})

    assert (status, said["error"]) == (401, f"token {token_id} was revoked")


def test_a_signature_of_another_body_is_refused(lane: Lane) -> None:
    mine = body(json.dumps(batch("https-forged", xid(79))))
    headers = signed(lane, body(json.dumps(batch("https-forged", xid(31)))))

    assert posted(lane, mine, headers) == (403, {"Message": "Forbidden"})


def test_a_signature_of_a_stranger_or_none_is_refused(lane: Lane) -> None:
    raw = body(json.dumps(batch("https-stranger", xid(79))))
    stranger = replace(lane.agent_endpoint, secret_key="guessed")
    lent = replace(lane, agent_endpoint=stranger)

    assert posted(lane, raw, signed(lent, raw))[0] == 403
    assert posted(lane, raw, {})[0] == 403
    assert posted(lane, raw, {**signed(lane, raw), "X-Amz-Date": "20200101T000000Z"})[0] == 403


def test_a_hostile_body_is_answered_by_the_deployed_function(lane: Lane) -> None:
    bomb = gzip.compress(bytes(60_000_000))
    deep = b'{"messages":' + b"[" * 500_000
    crowd = body(*["{}"] * 10_000)

    assert posted(lane, bomb, signed(lane, bomb, **{"Content-Encoding": "gzip"}))[0] == 413
    assert posted(lane, deep, signed(lane, deep))[0] == 400
    assert posted(lane, crowd, signed(lane, crowd))[0] == 413


def test_packed_json_that_calls_itself_json_is_spoiled_as_on_aws(lane: Lane) -> None:
    raw = gzip.compress(body(json.dumps(batch("https-spoiled", xid(79)))))
    headers = signed(lane, raw, **{"Content-Encoding": "gzip", "Content-Type": "application/json"})

    status, said = posted(lane, raw, headers)

    assert status == 400
    assert "not gzip" in said["error"]


def test_the_same_message_twice_pages_once(story: Story) -> None:
    message = batch("https-twice", line := xid(79))
    raw = body(json.dumps(message))
    story.tell("https-twice", line)

    for _ in range(2):
        status, said = posted(story.lane, raw, signed(story.lane, raw))
        assert (status, said["results"][0]["status"]) == (200, "accepted")

    assert story.all_arrive_once()


def test_the_deployed_reader_knows_the_role_whose_word_counts(story: Story) -> None:
    lane, node = story.lane, "https-named"
    functions, iam = (lane.endpoint.client(name) for name in ("lambda", "iam"))
    deployed = functions.get_function_configuration(FunctionName=lane.stack.function("ingest"))
    role = iam.get_role(RoleName=deployed["Role"].rpartition("/")[2])["Role"]["RoleId"]
    record = {
        "messageId": "00000000-0000-0000-0000-000000000000",
        "body": json.dumps(batch(node, line := xid(79))),
        "attributes": {"SenderId": f"{role}:reflexarc-ingest", "SentTimestamp": "1772366400000"},
        "messageAttributes": {"sender": {"dataType": "String", "stringValue": f"token:{node}"}},
    }
    story.tell(node, line)

    functions.invoke(
        FunctionName=lane.stack.function("gpu_alert"), Payload=json.dumps({"Records": [record]})
    )

    table = lane.stack.outputs["IncidentsTableName"]
    senders = DynamoSenders(lane.endpoint.client("dynamodb"), table)
    assert senders.holder(node) == f"token:{node}"
    assert story.all_arrive_once()


def test_operators_make_tokens_on_a_deployed_stack(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in lane.endpoint.environment().items():
        monkeypatch.setenv(name, value)
    where = ("--endpoint", lane.endpoint.url, "--json")
    made = CliRunner().invoke(tokens_app, ["create", "--source", "https-made", *where])
    raw = body(json.dumps(batch("https-made", xid(31))))

    with let_in_by(lane, "TOKEN"):
        secret = json.loads(made.stdout)["token"]
        status, _ = posted(lane, raw, {"Authorization": f"Bearer {secret}"})

    assert status == 200


def test_an_agent_whose_first_sink_is_down_pages_by_the_second(
    story: Story, tmp_path: Path
) -> None:
    second = {
        "faults_queue_url": story.lane.stack.outputs["GpuFaultsQueueUrl"],
        "readings_queue_url": story.lane.stack.outputs["GpuReadingsQueueUrl"],
    }
    file = tmp_path / "agent.yaml"
    file.write_text(json.dumps({"second": second}))
    nobody = f"http://127.0.0.1:{free_port()}/"
    node = running(story, "https-second", "--https-url", nobody, "--config", str(file))

    story.write(node, xid(79))

    assert story.all_arrive_once()
    assert b"sending to the second sink" in node.agent.log.read_bytes()


def test_the_roles_suffice_where_every_policy_is_enforced(troubles: Troubles) -> None:
    lane = troubles.lane
    raw = body(json.dumps(batch("https-enforced", xid(63))))

    by_iam = posted(lane, raw, signed(lane, raw))
    with let_in_by(lane, "TOKEN"):
        _, text = token_for(lane, "https-enforced")
        by_token = posted(lane, raw, {"Authorization": f"Bearer {text}"})

    assert (by_iam[0], by_token[0]) == (200, 200)


def test_a_url_that_is_closed_is_free_again(lane: Lane) -> None:
    served = FunctionUrl(lane.endpoint, lane.stack.function("ingest"), (lane.endpoint,))

    served.close()

    with pytest.raises(urllib3.exceptions.NewConnectionError):
        urllib3.request("POST", served.url, retries=False)
