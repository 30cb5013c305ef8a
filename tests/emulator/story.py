"""What a test does with a lane: nodes log lines, vendors are told, the two are compared."""

import itertools
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil

from reflexarc.emulator import agents, standins
from reflexarc.emulator.agents import Node
from reflexarc.emulator.audit import Audit, Expected, audit
from reflexarc.emulator.due import Due
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.processes import wait_until
from reflexarc.emulator.stack import SLACK_CHANNEL
from reflexarc.events.gpu_faults import Finding
from reflexarc.events.severity import Severity
from tests.benchmarks.storm_killer import workers

_names = (f"node-{number}" for number in itertools.count(1))
QUIET_S = 0.4
# Rates are another test's subject: here they would only make tests wait.
UNLIMITED = (
    *("--slack-rate", "1000", "--slack-burst", "1000"),
    *("--slack-calls-per-minute", "60000", "--pagerduty-per-minute", "60000"),
)

# Pages join what has one cause. Most tests are of the way of one page: here each thing is told
# alone, so that what one test logs cannot join the page of another.
EACH_ALONE: Mapping[str, Any] = {
    "incidents": {
        "channels": [
            {"name": "pagerduty", "kind": "pagerduty"},
            {"name": "slack", "kind": "slack", "destination": SLACK_CHANNEL},
        ],
        "routes": [
            {
                "name": "drill",
                "match": {"labels": {"cluster": "drill"}},
                "channels": ["slack"],
                "escalate": [{"after": "5s", "channels": ["pagerduty"]}],
            },
            {
                "name": "critical",
                "match": {"severity": ["critical"]},
                "channels": ["pagerduty", "slack"],
            },
            {"name": "warning", "match": {"severity": ["warning"]}, "channels": ["slack"]},
        ],
        "groupings": [{"family": "each", "causes": ["*"], "by": ["node", "device"]}],
    }
}


def xid(code: int, gpu: int = 0x3B, says: str = "pid=1234, name=python3, Ch 00000012") -> str:
    return f"[ 2235.252108] NVRM: Xid (PCI:0000:{gpu:02x}:00): {code}, {says}"


@dataclass
class Story:
    """One test's lines on a lane, and the pages they make due."""

    lane: Lane
    due: Due = field(init=False)
    pages: list[Expected] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.due = Due(self.lane.policy)

    def node(self, labels: Mapping[str, str] | None = None, **options: Any) -> Node:
        words = (word for pair in (labels or {}).items() for word in ("--label", "=".join(pair)))
        node = self.lane.node(next(_names), options=tuple(words), **options)
        self.due.labelled(node.name, labels or {})
        self.nodes.append(node)
        agents.wait_for([node])
        return node

    def end(self) -> None:
        """Kill this story's agents: nobody waits for their farewells."""
        for node in self.nodes:
            self.lane.processes.kill(node.agent)

    def tell(self, node: str, line: str, at: datetime | None = None) -> list[Expected]:
        """Note what a line makes due, whoever brings it to the queue."""
        pages = self.due.wrote(node, line, at or datetime.now(UTC))
        self.pages += pages
        return pages

    def write(self, node: Node, *lines: str) -> None:
        for line in lines:
            at = node.write(line)
            self.tell(node.name, line, at)

    def send(self, body: dict[str, Any] | str) -> None:
        """Put a message into the faults queue without an agent."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.lane.stack.send("GpuFaultsQueueUrl", text)

    def found(self, node: str, finding: Finding, **source: Any) -> list[Expected]:
        """Send what a rule on a node found, or that it is over; note what is due."""
        self.due.labelled(node, source.get("labels", {}))
        pages = self.due.found(node, finding, finding.observed_at)
        self.pages += pages
        message = batch(node, findings=[finding.model_dump(mode="json")])
        self.send({**message, "source": {**message["source"], **source}})
        return pages

    def invoke_as(
        self,
        sender: str,
        body: dict[str, Any],
        function: str = "gpu_alert",
        *,
        waited_s: float = 0,
    ) -> dict[str, Any]:
        """Run a function on a message of another sender; the emulator has one account only.

        `waited_s` is for how long the message lay in its queue.
        """
        record = {
            "messageId": "00000000-0000-0000-0000-000000000000",
            "body": json.dumps(body),
            "attributes": {
                "SenderId": sender,
                "SentTimestamp": str(int((time.time() - waited_s) * 1000)),
            },
        }
        answer = self.lane.endpoint.client("lambda").invoke(
            FunctionName=self.lane.stack.function(function),
            Payload=json.dumps({"Records": [record]}),
        )
        result: dict[str, Any] = json.loads(answer["Payload"].read())
        return result

    def slack_message(self, key: str) -> dict[str, Any]:
        """Return how Slack shows an incident now."""
        return self.lane.standins.slack_root(key)

    def pager(self, key: str) -> list[str]:
        """Return the state of each incident that PagerDuty has of a page."""
        return self.lane.standins.pager(key)

    def restart(self, node: Node) -> Node:
        """Start a node's agent again, over the same log and spool."""
        lane = self.lane
        again = agents.start(
            lane.processes, lane.stack, node.name, node.log.parent, endpoint=lane.agent_endpoint
        )
        self.nodes.append(again)
        return again

    def nothing_owed(self) -> bool:
        """Return whether the outbox holds nothing and no lease is held on what is due here."""
        table = self.lane.stack.outputs["IncidentsTableName"]
        rows = self.lane.endpoint.client("dynamodb").scan(
            TableName=table,
            FilterExpression="begins_with(pk, :out) AND begins_with(sk, :row)",
            ExpressionAttributeValues={":out": {"S": "OUT#"}, ":row": {"S": "ROW#"}},
        )
        return not rows["Items"]

    def so_far(self) -> Audit:
        keys = {page.key for page in self.pages}
        landed = standins.landed(self.lane.standins.log())
        return audit(self.pages, [page for page in landed if page.key in keys])

    def outcome(self, timeout_s: float = 15) -> Audit:
        """Wait until every due page came, then a moment more for what should not come."""
        wait_until(lambda: not self.so_far().lost, timeout_s, every_s=0.05)
        time.sleep(QUIET_S)
        return self.so_far()

    def all_arrive_once(self, timeout_s: float = 15) -> bool:
        verdict = self.outcome(timeout_s)
        assert [(page.node, page.channel) for page in verdict.lost] == []
        assert verdict.duplicates == ()
        return bool(verdict.alerts)


def batch(node: str, *lines: str, **changes: Any) -> dict[str, Any]:
    """Return a gpu_faults/1 message as an agent would send it."""
    now = datetime.now(UTC).isoformat()
    number = next(_batches)
    return {
        "schema": "gpu_faults/1",
        "id": f"01{number:024d}",
        "sent_at": now,
        "source": {"node": node, "agent": "test", "boot_id": "boot-1"},
        "seq": number,
        "faults": [{"line": line, "observed_at": now} for line in lines],
        **changes,
    }


def too_hot(device: str = "0000:3b:00", *, over: bool = False) -> Finding:
    """Return what a node's rule says of a GPU that is slowed for heat, or not any more."""
    return Finding(
        rule="thermal/hw-slowdown",
        state="cleared" if over else "raised",
        aspect="thermal",
        device=device,
        severity=Severity.CRITICAL,
        says="slowed down by the hardware for heat",
        observed_at=datetime.now(UTC),
    )


_batches = itertools.count(1)


def rejected(lane: Lane, about: str, queue: str = "GpuFaultsDlqUrl") -> dict[str, Any]:
    """Return the dead letter whose original holds this text, waiting for it."""
    sqs = lane.endpoint.client("sqs")
    found: list[dict[str, Any]] = []

    def look() -> bool:
        answer = sqs.receive_message(
            QueueUrl=lane.stack.outputs[queue], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        letters = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        found.extend(letter for letter in letters if about in letter.get("original", ""))
        return bool(found)

    assert wait_until(look, 10, every_s=0.1), f"no dead letter about {about}"
    return found[0]


def kill_workers(lane: Lane, function: str) -> int:
    """Kill -9 every worker process of a function inside the emulator; return how many."""
    assert lane.emulator is not None
    found = workers(lane, function)
    for worker in found:
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            worker.kill()
    return len(found)
