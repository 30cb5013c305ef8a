import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner, Result

from reflexarc.adapters.sqs.dead_letter_queues import DeadLetterQueues, queues_of
from reflexarc.adapters.sqs.dead_letters import SqsDeadLetters
from reflexarc.adapters.sqs.redrive import Redrive
from reflexarc.adapters.sqs.undeliverable import SqsUndeliverable
from reflexarc.adapters.sqs.wake_ups import message_group, wake_up_body
from reflexarc.cli.dlq import dlq_app
from reflexarc.events.delivery import Delivery
from reflexarc.events.rejected import ORIGINAL_MAX
from reflexarc.notify.model import Task
from reflexarc.runtime import dead_letters
from tests.support.aws import aws, drain, queue, sqs
from tests.support.incidents import NOW
from tests.support.notices import notice, receipt

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# By the title that the stack's outputs give a queue: its name, and its dead-letter queue's.
NAMES = {
    "GpuFaults": ("gpu-faults", "gpu-faults-dlq"),
    "Signals": ("signals", "signals-dlq"),
    "NotifySlack": ("notify-slack.fifo", "notify-slack-dlq.fifo"),
    "NotifyLater": ("notify-later", "notify-later-dlq"),
}
NODE = "AROAFLEET:i-0123456789abcdef0"
FAULTS = '{"schema": "gpu_faults/1", "source": {"node": "gpu-node-7"}}'


@dataclass
class Lambda:
    """Answers as Lambda does for a function that reads a queue, and keeps what it was given."""

    given: list[dict[str, Any]] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=lambda: {"batchItemFailures": []})
    error: str = ""
    read_by: bool = True
    unreachable: bool = False

    def list_event_source_mappings(self, *, EventSourceArn: str) -> dict[str, Any]:  # noqa: N803
        assert EventSourceArn.endswith(":reflexarc-gpu-faults")
        return {"EventSourceMappings": [{"FunctionArn": "arn:gpu-alert"}] if self.read_by else []}

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "arn:gpu-alert"
        if self.unreachable:
            raise EndpointConnectionError(endpoint_url="https://lambda.invalid")
        self.given += json.loads(Payload)["Records"]
        answer = {"Payload": io.BytesIO(json.dumps(self.says).encode())}
        return answer | ({"FunctionError": self.error} if self.error else {})


@dataclass
class Stack:
    sqs: "SQSClient"
    outputs: dict[str, str]
    functions: Lambda = field(default_factory=Lambda)

    def url(self, title: str, *, dlq: bool = True) -> str:
        return self.outputs[f"{title}{'Dlq' if dlq else 'Queue'}Url"]

    def crashed(self, title: str, body: str, **more: Any) -> str:
        """Put a message where SQS puts what failed too often."""
        return self.sqs.send_message(QueueUrl=self.url(title), MessageBody=body, **more)[
            "MessageId"
        ]

    def refused(self, title: str, body: str, reason: str = "not JSON", sender: str = NODE) -> None:
        letters = SqsDeadLetters(self.sqs, self.url(title), lambda: NOW)
        letters.keep(Delivery(message_id="m-1", body=body, sender=sender, queued_at=NOW), reason)

    def waiting(self, title: str, *, dlq: bool = False) -> list[dict[str, Any]]:
        return drain(self.sqs, self.url(title, dlq=dlq))

    def ids(self, title: str) -> list[str]:
        return [each["id"] for each in self.listed()[NAMES[title][1]]["messages"]]

    def listed(self) -> dict[str, dict[str, Any]]:
        lines = run("list", "--json").stdout.splitlines()
        return {document["queue"]: document for document in map(json.loads, lines)}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with aws():
        client = sqs()
        outputs = {
            f"{title}{kind}Url": queue(client, f"reflexarc-{name}")
            for title, names in NAMES.items()
            for kind, name in zip(("Queue", "Dlq"), names, strict=True)
        }
        made = Stack(client, outputs)
        functions: Any = made.functions
        monkeypatch.setattr(
            dead_letters,
            "find_dead_letters",
            lambda *_: dead_letters.DeadLetters(
                DeadLetterQueues(client, queues_of(outputs, "reflexarc")),
                Redrive(client, functions),
            ),
        )
        yield made


def run(*words: str, code: int = 0, given: str | None = None) -> Result:
    result = CliRunner().invoke(dlq_app, list(words), input=given)
    assert result.exit_code == code, result.output
    return result


def test_every_queue_is_listed_with_its_depth_and_why(stack: Stack) -> None:
    stack.refused("Signals", "{", reason="the body is not JSON")
    stack.crashed("Signals", '{"schema": "signal/1"}')

    found = stack.listed()

    assert set(found) == {"gpu-faults-dlq", "signals-dlq", "notify-slack-dlq", "notify-later-dlq"}
    assert found["gpu-faults-dlq"]["depth"] == 0
    assert found["signals-dlq"]["depth"] == 2
    assert found["signals-dlq"]["reasons"] == {"the body is not JSON": 1, "": 1}
    assert found["signals-dlq"]["oldest_at"] is not None
    assert {each["schema"] for each in found["signals-dlq"]["messages"]} == {"signal/1", None}


def test_a_look_leaves_everything_where_it_is(stack: Stack) -> None:
    for number in range(25):
        stack.crashed("Signals", str(number))

    assert len(stack.listed()["signals-dlq"]["messages"]) == 25
    assert len(stack.waiting("Signals", dlq=True)) == 25


def test_the_list_is_readable_and_says_what_it_left_out(stack: Stack) -> None:
    stack.refused("GpuFaults", "{", reason="broken [bold]\x1b[31m" + "x" * 200)
    stack.crashed("GpuFaults", FAULTS)

    text = run("list", "--limit", "1").stdout

    assert "gpu-faults-dlq" in text
    assert "1 of 2 shown" in text
    assert "\x1b[31m" not in text


def test_an_empty_list_shows_the_queues(stack: Stack) -> None:
    del stack
    assert "notify-slack-dlq" in run("list").stdout


def test_show_prints_the_whole_original(stack: Stack) -> None:
    stack.refused("GpuFaults", FAULTS, reason="another sender speaks for it")
    (message_id,) = stack.ids("GpuFaults")

    text = run("show", message_id[:8]).stdout
    document = json.loads(run("show", message_id, "--json").stdout)

    assert '"node": "gpu-node-7"' in text
    assert "another sender speaks for it" in text
    assert document["original"] == FAULTS
    assert (document["original_id"], document["sender"]) == ("m-1", NODE)
    assert json.loads(run("show", "m-1", "--json").stdout) == document


def test_show_keeps_a_hostile_original_from_the_terminal(stack: Stack) -> None:
    stack.crashed("Signals", "not json [red] \U0001f525\n\u202eevil")

    text = run("show", stack.ids("Signals")[0]).stdout

    assert "\u202e" not in text
    assert "\\u202eevil" in text
    assert "[red]" in text


def test_an_unknown_or_ambiguous_id_says_what_to_do(stack: Stack) -> None:
    assert "reflexarc dlq list" in run("show", "nothing", code=1).stderr
    for number in range(40):
        stack.crashed("Signals", str(number))

    assert "type more of the id" in run("show", "", code=1).stderr


def test_a_refused_message_goes_back_unwrapped_and_leaves_the_queue(stack: Stack) -> None:
    stack.refused("Signals", '{"schema": "signal/1"}')

    result = run("redrive", "signals", "--all", "--yes")

    assert "1 redriven, 0 kept" in result.stdout
    assert [each["Body"] for each in stack.waiting("Signals")] == ['{"schema": "signal/1"}']
    assert stack.waiting("Signals", dlq=True) == []


def test_a_crashed_message_goes_back_as_it_was(stack: Stack) -> None:
    attributes = {"trace": {"DataType": "String", "StringValue": "t-1"}}
    stack.crashed("Signals", "as it was", MessageAttributes=attributes)

    run("redrive", "signals-dlq", "--all", "--yes")

    (message,) = stack.waiting("Signals")
    assert message["Body"] == "as it was"
    assert message["MessageAttributes"]["trace"]["StringValue"] == "t-1"


def test_one_message_alone_is_redriven(stack: Stack) -> None:
    for body in ("first", "second", "third"):
        stack.crashed("Signals", body)
    chosen = stack.crashed("Signals", "chosen")

    document = json.loads(run("redrive", "signals", "--message", chosen, "--yes", "--json").stdout)

    assert document == {"queue": "signals-dlq", "redriven": [chosen], "kept": {}}
    assert [each["Body"] for each in stack.waiting("Signals")] == ["chosen"]
    assert len(stack.waiting("Signals", dlq=True)) == 3


def test_a_wake_up_keeps_its_message_group(stack: Stack) -> None:
    body = wake_up_body("slack/C1")
    stack.crashed(
        "NotifySlack", body, MessageGroupId=message_group("slack/C1"), MessageDeduplicationId="1"
    )

    run("redrive", "notify-slack-dlq", "--all", "--yes")

    (message,) = stack.waiting("NotifySlack")
    assert message["Attributes"]["MessageGroupId"] == message_group("slack/C1")
    assert message["Attributes"]["MessageDeduplicationId"] != "1"


def test_faults_go_to_their_function_with_the_sender_that_they_had(stack: Stack) -> None:
    stack.refused("GpuFaults", FAULTS)

    run("redrive", "gpu-faults-dlq", "--all", "--yes")

    (record,) = stack.functions.given
    assert record["body"] == FAULTS
    assert record["attributes"]["SenderId"] == NODE
    assert stack.waiting("GpuFaults") == stack.waiting("GpuFaults", dlq=True) == []


def test_crashed_faults_keep_who_ingest_says_they_are_from(stack: Stack) -> None:
    attributes = {
        "sender": {"DataType": "String", "StringValue": "token:gpu-node-7"},
        "raw": {"DataType": "Binary", "BinaryValue": b"x"},
    }
    stack.crashed("GpuFaults", FAULTS, MessageAttributes=attributes)

    run("redrive", "gpu-faults-dlq", "--all", "--yes")

    (record,) = stack.functions.given
    assert record["attributes"]["SenderId"]
    assert record["messageAttributes"] == {
        "sender": {"dataType": "String", "stringValue": "token:gpu-node-7"}
    }


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"says": {"batchItemFailures": [{"itemIdentifier": "x"}]}}, "its log says why"),
        ({"error": "Unhandled", "says": {"errorMessage": "boom"}}, "boom"),
        ({"read_by": False}, "deploy again"),
        ({"unreachable": True}, "was not handed on"),
    ],
)
def test_what_the_function_does_not_take_stays(
    stack: Stack, trouble: dict[str, Any], words: str
) -> None:
    for name, value in trouble.items():
        setattr(stack.functions, name, value)
    stack.refused("GpuFaults", FAULTS)

    result = run("redrive", "gpu-faults-dlq", "--all", "--yes", code=1)

    assert words in result.stderr
    assert "try again" in result.stderr
    assert len(stack.waiting("GpuFaults", dlq=True)) == 1


def test_a_failed_send_deletes_nothing(stack: Stack) -> None:
    for number in range(3):
        stack.crashed("Signals", str(number))
    stack.sqs.delete_queue(QueueUrl=stack.url("Signals", dlq=False))

    result = run("redrive", "signals-dlq", "--all", "--yes", code=1)

    assert "0 redriven, 1 kept" in result.stdout
    assert len(stack.waiting("Signals", dlq=True)) == 3


def test_what_cannot_be_sent_again_is_refused_with_words(stack: Stack) -> None:
    stack.refused("Signals", "x" * (ORIGINAL_MAX + 1))
    stack.refused("GpuFaults", FAULTS, sender="")
    stack.crashed("Signals", "fine")

    cut = run("redrive", "signals-dlq", "--all", "--yes", code=1)
    nameless = run("redrive", "gpu-faults-dlq", "--all", "--yes", code=1)

    assert "only the beginning" in cut.stderr
    assert "1 redriven, 1 kept" in cut.stdout
    assert "without its sender" in nameless.stderr
    assert stack.functions.given == []
    assert len(stack.waiting("Signals", dlq=True)) == 1


def test_a_text_that_a_vendor_refused_is_not_sent_as_a_wake_up(stack: Stack) -> None:
    task = Task(
        part="root", action="trigger", becomes=receipt(), body={"text": "GPU fell off the bus"}
    )
    letters = SqsDeadLetters(stack.sqs, stack.url("NotifyLater"), lambda: NOW)
    SqsUndeliverable(letters).keep(notice(), task, "invalid_blocks")

    result = run("redrive", "notify-later-dlq", "--all", "--yes", code=1)

    assert "a vendor refused for good" in result.stderr
    assert stack.waiting("NotifyLater") == []


def test_messages_that_are_refused_again_do_not_go_round_for_ever(stack: Stack) -> None:
    # The source is its own dead-letter queue: all that is sent comes back at once.
    stack.outputs["SignalsQueueUrl"] = stack.url("Signals")
    for number in range(3):
        stack.crashed("Signals", str(number))

    assert "3 redriven" in run("redrive", "signals-dlq", "--all", "--yes").stdout
    assert len(stack.waiting("Signals", dlq=True)) == 3


def test_a_drop_deletes_and_sends_nothing(stack: Stack) -> None:
    stack.refused("GpuFaults", FAULTS)

    assert "1 dropped" in run("drop", "gpu-faults-dlq", "--all", "--yes").stdout
    assert stack.waiting("GpuFaults", dlq=True) == []
    assert stack.functions.given == []


@pytest.mark.parametrize("words", [(), ("--all", "--message", "x")])
def test_it_must_be_said_which_messages(stack: Stack, words: tuple[str, ...]) -> None:
    del stack
    assert "--message ID, or --all" in run("redrive", "signals-dlq", *words, code=2).stderr


def test_without_a_terminal_nothing_is_done_unasked(stack: Stack) -> None:
    stack.crashed("Signals", "x")

    assert "add --yes" in run("drop", "signals-dlq", "--all", code=1).stderr
    assert len(stack.waiting("Signals", dlq=True)) == 1


@pytest.mark.parametrize(("answer", "left"), [("n\n", 1), ("y\n", 0)])
def test_a_person_is_asked(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    monkeypatch.setattr("reflexarc.cli.dlq_screen.is_terminal", lambda: True)
    stack.crashed("Signals", "x")

    run("drop", "signals-dlq", "--all", code=left, given=answer)

    assert len(stack.waiting("Signals", dlq=True)) == left


def test_an_unknown_queue_is_told_the_known_ones(stack: Stack) -> None:
    del stack
    result = run("redrive", "nonsense", "--all", "--yes", code=1)

    assert "signals-dlq" in result.stderr


def test_an_unreachable_queue_is_one_readable_line(stack: Stack) -> None:
    stack.sqs.delete_queue(QueueUrl=stack.url("Signals"))

    result = run("list", code=1)

    assert "reflexarc: SQS failed while counting signals-dlq" in result.stderr
    assert "Traceback" not in result.output
