"""The kinds of things that the catalogue lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# The longest that SQS keeps a message.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
LONGEST_RETENTION_S = 14 * DAY


@dataclass(frozen=True)
class Queue:
    """One queue and its dead-letter queue (`<name>-dlq`)."""

    name: str
    summary: str
    visibility_s: int
    max_receive: int
    retention_s: int = LONGEST_RETENTION_S
    fifo: bool = False
    agents_send: bool = False
    # Amazon EventBridge sends it which instances Auto Scaling groups end.
    hears_of_leavers: bool = False
    # S3 sends it what forwarders write to the telemetry bucket.
    hears_of_objects: bool = False
    # An alarm rings when the oldest message is older; none where nothing consumes yet.
    oldest_alarm_s: int | None = None
    oldest_runbook: str = ""

    @property
    def suffix(self) -> str:
        """Return the ending that SQS demands of a FIFO queue's name."""
        return ".fifo" if self.fifo else ""


@dataclass(frozen=True)
class Secret:
    """One secret, created with an empty placeholder that its owner overwrites."""

    name: str
    title: str
    summary: str
    # Never change a placeholder: CloudFormation would write it over the real value.
    placeholder: Mapping[str, str]


@dataclass(frozen=True)
class Topic:
    """One SNS topic for alerts; whoever wants them subscribes."""

    name: str
    title: str


@dataclass(frozen=True)
class SendTo:
    """Environment value: the URL of a queue that the function may send to."""

    queue: Queue
    dead_letter: bool = False


@dataclass(frozen=True)
class Read:
    """Environment value: the ARN of a secret that the function may read."""

    secret: Secret


@dataclass(frozen=True)
class Publish:
    """Environment value: the ARN of a topic that the function may publish to."""

    topic: Topic


@dataclass(frozen=True)
class Parameter:
    """Environment value: a parameter of the stack."""

    name: str


class Table(Enum):
    """Environment value: the incidents table's name, and what the function may do with it.

    Each has its actions, and the patterns of the partition keys it is held to; none: every key.
    """

    # Incident, ledger and outbox in one transaction; who speaks for a node; configuration.
    RECORD = (("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"), ())
    # Leases, outbox rows and receipts, each write fenced by the lease.
    DELIVER = (
        (
            "BatchGetItem",
            "ConditionCheckItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "Query",
            "UpdateItem",
        ),
        (),
    )
    # Who speaks for a node, and the configuration.
    BIND = (("GetItem", "PutItem"), ("NODE#*", "CONFIG"))
    # A bearer token by its id.
    TOKENS = (("GetItem",), ("TOKEN#*",))
    # That a click was taken.
    CLICKS = (("PutItem",), ("CLICK#*",))
    # The configuration, and nothing else.
    CONFIGURATION = (("GetItem",), ("CONFIG",))
    # The sparse index says which groups wait and which steps are due; beside it the configuration.
    SWEEP = (("GetItem",), ("CONFIG",), "watch")

    @property
    def actions(self) -> tuple[str, ...]:
        """Return what the function may do with the table itself."""
        actions: tuple[str, ...] = self.value[0]
        return actions

    @property
    def leading_keys(self) -> tuple[str, ...]:
        """Return the patterns of the partition keys it is held to; none: every key."""
        patterns: tuple[str, ...] = self.value[1]
        return patterns

    @property
    def reads_index(self) -> bool:
        """Return whether the function may query the `watch` index."""
        return "watch" in self.value


class Fleet(Enum):
    """Environment value: the fleet table's name, and what the function may do with it."""

    # The last state of each node, its hours, and which nodes of a rack are hot.
    KEEP = ("GetItem", "Query", "UpdateItem")
    # When a node's own sender was last heard.
    HEARD = ("GetItem",)
    # The same, and that its silence was told.
    SILENCE = ("GetItem", "UpdateItem")
    # When each node was last heard, and that its silence is over.
    WATCH = ("Query", "UpdateItem")


class Accounts(Enum):
    """Environment value: the telemetry table's name, and what the function may do with it."""

    # Which messages are accounted for, and the hours' counters, in one transaction.
    KEEP = ("BatchGetItem", "GetItem", "PutItem", "UpdateItem")


class Objects(Enum):
    """Environment value: the telemetry bucket's name, and the actions under which prefixes."""

    # What is too large for a message.
    HAND_IN = ((("PutObject",), ("inbox",)),)
    # Read once, and gone when it is accounted for; what is archived stays, and is never read here.
    WORK = (
        (("DeleteObject", "GetObject"), ("inbox", "inbox-direct", "forward")),
        # What a backend refused, when an operator sends it again.
        (("GetObject",), ("dead",)),
        (("PutObject",), ("archive", "dead", "forward", "llm-spans")),
    )

    @property
    def tells_missing(self) -> bool:
        """Return whether the function must know an object that is gone from one it may not read."""
        return self is Objects.WORK


@dataclass(frozen=True)
class RoleId:
    """Environment value: the unique id of another function's role, which nobody can take over."""

    function: str


Value = SendTo | Read | Publish | Parameter | Table | Fleet | Accounts | Objects | RoleId


@dataclass(frozen=True)
class FromQueue:
    """The function receives this queue's messages in batches."""

    queue: Queue
    batch_size: int
    # How long Lambda may gather a batch; a batch of more than ten needs a second at least.
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    window_s: int = 0
    # Bulk work may not take the account's concurrency from the page path.
    max_concurrency: int | None = None


@dataclass(frozen=True)
class EveryMinute:
    """The function runs once a minute."""


@dataclass(frozen=True)
class FromHttps:
    """The function answers at a URL of its own; the parameter IngestAuth says to whom."""


@dataclass(frozen=True)
class FromAnyone:
    """The function answers at a URL that everybody may call: it checks a signature of its own."""


Trigger = FromQueue | EveryMinute | FromHttps | FromAnyone


@dataclass(frozen=True)
class Function:
    """One Lambda function; its code is `functions/<name>/handler.py`."""

    name: str
    summary: str
    triggers: tuple[Trigger, ...]
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, Value]
    # Carries the layer of what reads OTLP.
    reads_otlp: bool = False
    # Takes the stack's ReservedConcurrency parameter, when it is set.
    on_page_path: bool = True

    @property
    def title(self) -> str:
        """Return the name as logical ids spell it."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def deployed_name(self) -> str:
        """Return the name as it follows the stack's name in AWS."""
        return self.name.replace("_", "-")
