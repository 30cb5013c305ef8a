"""What is deployed: every queue, secret and function, in one typed table.

A function may use what its environment tells it about, and nothing else: a queue's URL there
grants sending to it, a secret's ARN grants reading it. `infra/stack` turns this into resources;
`reflexarc.runtime.settings` reads the same environment names, and a test compares them.
"""

from collections.abc import Mapping

from infra.kinds import (
    DAY,
    HOUR,
    MINUTE,
    Accounts,
    EveryMinute,
    Fleet,
    FromAnyone,
    FromHttps,
    FromQueue,
    Function,
    Objects,
    Parameter,
    Publish,
    Queue,
    Read,
    RoleId,
    Secret,
    SendTo,
    Table,
    Topic,
    Value,
)

# "Set the visibility timeout to at least six times the function timeout."
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_PER_TIMEOUT = 6


# A sender holds a delivery group this long. It must outlive the function's timeout (a live sender
# never loses its group). A lease taken at the end of one invocation must have lapsed when its
# wake-up comes back: visibility > timeout + lease (tests/properties/incident_model.py).
NOTIFY_TIMEOUT_S = 10
LEASE_S = 15
NOTIFY_VISIBILITY_S = 30

# What can never succeed is put aside by the function itself, with its reason; these counts serve
# crashes and outages alone. Tries half a minute apart outlast an hour without DynamoDB.
OUTAGE_TRIES = 120
# A batch of faults whose function was killed comes back after so long: three timeouts, not the six
# that AWS advises, for a fault must not wait a minute; what comes twice is in the ledger.
FAULTS_VISIBILITY_PER_TIMEOUT = 3
FAULTS_VISIBILITY_S = 30

GPU_FAULTS = Queue(
    "gpu-faults",
    "GPU faults from edge agents; nothing else may queue before them",
    visibility_s=FAULTS_VISIBILITY_S,
    max_receive=OUTAGE_TRIES,
    agents_send=True,
    oldest_alarm_s=MINUTE,
    oldest_runbook="gpu-faults-age",
)
GPU_READINGS = Queue(
    "gpu-readings",
    "heartbeats and readings from edge agents: worthless when old",
    # Six timeouts and the batching window.
    visibility_s=3 * MINUTE,
    max_receive=5,
    retention_s=HOUR,
    agents_send=True,
    oldest_alarm_s=5 * MINUTE,
    oldest_runbook="gpu-readings-age",
)
SIGNALS = Queue(
    "signals",
    "signals from every producer that is not the fault path",
    visibility_s=FAULTS_VISIBILITY_S,
    max_receive=OUTAGE_TRIES,
    hears_of_leavers=True,
    oldest_alarm_s=5 * MINUTE,
    oldest_runbook="signals-age",
)
TELEMETRY_TIMEOUT_S = 60
TELEMETRY_WINDOW_S = 5
TELEMETRY = Queue(
    "telemetry",
    "OTLP batches from ingest, from forwarders, and what they wrote to the bucket",
    visibility_s=VISIBILITY_PER_TIMEOUT * TELEMETRY_TIMEOUT_S + TELEMETRY_WINDOW_S,
    # An hour of an outage; a batch that kills its function is put aside within that hour.
    max_receive=10,
    hears_of_objects=True,
    oldest_alarm_s=30 * MINUTE,
    oldest_runbook="telemetry-age",
)
TELEMETRY_FORWARD = Queue(
    "telemetry-forward",
    "what one backend did not take yet",
    visibility_s=VISIBILITY_PER_TIMEOUT * TELEMETRY_TIMEOUT_S,
    # Each attempt that a backend refuses is a new message; this counts crashes alone.
    max_receive=10,
    # A backend may rightly be down for hours: what waits is worth little when it is older.
    oldest_alarm_s=HOUR,
    oldest_runbook="telemetry-forward-age",
)
LLM_SPANS = Queue(
    "llm-spans",
    "LLM spans, byte for byte, where the configuration hands them on",
    visibility_s=VISIBILITY_PER_TIMEOUT * MINUTE,
    max_receive=10,
    retention_s=4 * DAY,
)
SERIES = Queue(
    "series",
    "points of the metrics that the configuration lists",
    visibility_s=VISIBILITY_PER_TIMEOUT * MINUTE,
    max_receive=10,
    retention_s=HOUR,
)
# A wake-up that fails comes back after its visibility timeout: that is the recovery from a crash,
# so its receive count may grow without anything being wrong.
NOTIFY_SLACK = Queue(
    "notify-slack",
    "wake-ups of the Slack sender, one group a channel",
    visibility_s=NOTIFY_VISIBILITY_S,
    max_receive=20,
    fifo=True,
    oldest_alarm_s=2 * MINUTE,
    oldest_runbook="notify-age",
)
NOTIFY_PAGERDUTY = Queue(
    "notify-pagerduty",
    "wake-ups of the PagerDuty sender, one group an incident",
    visibility_s=NOTIFY_VISIBILITY_S,
    max_receive=20,
    fifo=True,
    oldest_alarm_s=2 * MINUTE,
    oldest_runbook="notify-age",
)
# Channels of every other kind share one queue: their groups do not wait for each other in it, and
# a queue of its own costs each kind a poller all month.
NOTIFY_OTHERS = Queue(
    "notify-others",
    "wake-ups of every other sender (webhook, SNS), one group a channel and line of pages",
    visibility_s=NOTIFY_VISIBILITY_S,
    max_receive=20,
    fifo=True,
    oldest_alarm_s=2 * MINUTE,
    oldest_runbook="notify-age",
)
NOTIFY_LATER = Queue(
    "notify-later",
    "delayed wake-ups: FIFO queues refuse a delay per message",
    visibility_s=VISIBILITY_PER_TIMEOUT * NOTIFY_TIMEOUT_S,
    max_receive=20,
    # A re-wake may rightly wait 15 minutes, the longest delay of SQS and of our backoff.
    oldest_alarm_s=30 * MINUTE,
    oldest_runbook="notify-age",
)
QUEUES = (
    GPU_FAULTS,
    GPU_READINGS,
    SIGNALS,
    NOTIFY_SLACK,
    NOTIFY_PAGERDUTY,
    NOTIFY_OTHERS,
    NOTIFY_LATER,
    TELEMETRY,
    TELEMETRY_FORWARD,
    LLM_SPANS,
    SERIES,
)


SLACK = Secret(
    "slack",
    "Slack",
    "Slack bot token (xoxb-...) or, as a fallback, an incoming webhook",
    {"token": "", "webhook_url": ""},
)
PAGERDUTY = Secret(
    "pagerduty", "PagerDuty", "PagerDuty Events v2 integration key", {"routing_key": ""}
)
# One for all webhooks. Not inside another vendor's secret: a value is written whole, so whoever
# renews that vendor's key would wipe the webhooks' out ($0.40 a month; docs/guides/channels.md).
WEBHOOK = Secret(
    "webhook", "Webhook", "Keys that sign webhooks, by name: two while one changes", {}
)
BACKENDS = Secret("telemetry", "Telemetry", "Keys for the backends that telemetry goes on to", {})
SECRETS = (SLACK, PAGERDUTY, WEBHOOK, BACKENDS)


ALERTS = Topic("alerts", "Alerts")
TOPICS = (ALERTS,)


_WAKES: Mapping[str, Value] = {
    "NOTIFY_SLACK_QUEUE_URL": SendTo(NOTIFY_SLACK),
    "NOTIFY_PAGERDUTY_QUEUE_URL": SendTo(NOTIFY_PAGERDUTY),
    "NOTIFY_OTHERS_QUEUE_URL": SendTo(NOTIFY_OTHERS),
}

FUNCTIONS = (
    Function(
        "gpu_alert",
        "turns fault batches into incidents and wakes their senders",
        (FromQueue(GPU_FAULTS, batch_size=10),),
        timeout_s=10,
        memory_mb=1024,
        environment={
            "INCIDENTS_TABLE": Table.RECORD,
            "FLEET_TABLE": Fleet.HEARD,
            "REJECTED_QUEUE_URL": SendTo(GPU_FAULTS, dead_letter=True),
            "SIGNALS_QUEUE_URL": SendTo(SIGNALS),
            "SLACK_CHANNEL": Parameter("SlackChannel"),
            "INGEST_ROLE_ID": RoleId("ingest"),
            "TELEMETRY_ROLE_ID": RoleId("telemetry_rules"),
            **_WAKES,
        },
    ),
    Function(
        "incident",
        "turns signals into incidents and wakes their senders",
        (FromQueue(SIGNALS, batch_size=10, max_concurrency=10),),
        timeout_s=10,
        memory_mb=512,
        environment={
            "INCIDENTS_TABLE": Table.RECORD,
            "REJECTED_QUEUE_URL": SendTo(SIGNALS, dead_letter=True),
            "SIGNALS_QUEUE_URL": SendTo(SIGNALS),
            "SLACK_CHANNEL": Parameter("SlackChannel"),
            # Whether a node spoke since it seemed to be silent.
            "FLEET_TABLE": Fleet.SILENCE,
            # Whoever clicked is told when it was too late.
            "SLACK_SECRET_ARN": Read(SLACK),
            "SLACK_API_URL": Parameter("SlackApiUrl"),
            **_WAKES,
        },
    ),
    Function(
        "notify",
        "sends what the outbox holds to Slack, PagerDuty, webhooks and SNS",
        (
            FromQueue(NOTIFY_SLACK, batch_size=10),
            FromQueue(NOTIFY_PAGERDUTY, batch_size=10),
            # Anybody's receiver may hang: a group a batch, so that it holds up nobody else, and
            # not so many at once that the page path would lack concurrency.
            FromQueue(NOTIFY_OTHERS, batch_size=1, max_concurrency=20),
            FromQueue(NOTIFY_LATER, batch_size=10, max_concurrency=10),
        ),
        timeout_s=NOTIFY_TIMEOUT_S,
        memory_mb=1024,
        environment={
            "INCIDENTS_TABLE": Table.DELIVER,
            "REJECTED_QUEUE_URL": SendTo(NOTIFY_LATER, dead_letter=True),
            "NOTIFY_LATER_QUEUE_URL": SendTo(NOTIFY_LATER),
            "SLACK_SECRET_ARN": Read(SLACK),
            "PAGERDUTY_SECRET_ARN": Read(PAGERDUTY),
            "WEBHOOK_SECRET_ARN": Read(WEBHOOK),
            "ALERTS_TOPIC_ARN": Publish(ALERTS),
            "SLACK_API_URL": Parameter("SlackApiUrl"),
            "PAGERDUTY_URL": Parameter("PagerDutyUrl"),
            **_WAKES,
        },
    ),
    Function(
        "gpu_reading",
        "keeps the last state and the idle hours of every GPU, and sees a rack grow hot",
        # Twenty seconds make three invocations a minute of a fleet of a thousand nodes.
        (FromQueue(GPU_READINGS, batch_size=500, window_s=20, max_concurrency=10),),
        timeout_s=20,
        memory_mb=1024,
        environment={
            "INCIDENTS_TABLE": Table.BIND,
            "FLEET_TABLE": Fleet.KEEP,
            "REJECTED_QUEUE_URL": SendTo(GPU_READINGS, dead_letter=True),
            "SIGNALS_QUEUE_URL": SendTo(SIGNALS),
            "USAGE_RETENTION_DAYS": Parameter("UsageRetentionDays"),
            "INGEST_ROLE_ID": RoleId("ingest"),
            "TELEMETRY_ROLE_ID": RoleId("telemetry_rules"),
        },
        on_page_path=False,
    ),
    Function(
        "ingest",
        "takes messages of agents by HTTPS and hands them to their queues",
        (FromHttps(),),
        # Batches begin within 5 s (ingest/service.py), and one that hangs takes 8 s.
        timeout_s=15,
        # A body may unpack to 8 MB, which is there some times over while it is taken apart.
        memory_mb=512,
        environment={
            "INCIDENTS_TABLE": Table.TOKENS,
            "GPU_FAULTS_QUEUE_URL": SendTo(GPU_FAULTS),
            "GPU_READINGS_QUEUE_URL": SendTo(GPU_READINGS),
            "TELEMETRY_QUEUE_URL": SendTo(TELEMETRY),
            "TELEMETRY_BUCKET": Objects.HAND_IN,
            "INGEST_AUTH": Parameter("IngestAuth"),
        },
        reads_otlp=True,
        # Faults of nodes without a queue come this way; the reservation is their limit as well.
    ),
    Function(
        "slack_action",
        "takes clicks of people in Slack and hands their actions on",
        (FromAnyone(),),
        # Slack waits 3 s (https://docs.slack.dev/interactivity/handling-user-interaction); the
        # rest is for an answer that is late but not lost.
        timeout_s=10,
        # A cold start is nearly all CPU, which comes with memory.
        memory_mb=1024,
        environment={
            "INCIDENTS_TABLE": Table.CLICKS,
            "SIGNALS_QUEUE_URL": SendTo(SIGNALS),
            "SLACK_SECRET_ARN": Read(SLACK),
        },
        # Everybody may call it; the reservation is their limit.
    ),
    Function(
        "telemetry_rules",
        "applies the rules to telemetry, hands on what others need, forwards and counts the rest",
        (
            FromQueue(TELEMETRY, batch_size=100, window_s=TELEMETRY_WINDOW_S, max_concurrency=20),
            # Of its own, so that a backend that hangs holds up nobody but itself.
            FromQueue(TELEMETRY_FORWARD, batch_size=10, max_concurrency=5),
        ),
        timeout_s=TELEMETRY_TIMEOUT_S,
        memory_mb=1024,
        environment={
            "INCIDENTS_TABLE": Table.CONFIGURATION,
            "TELEMETRY_TABLE": Accounts.KEEP,
            "TELEMETRY_BUCKET": Objects.WORK,
            "REJECTED_QUEUE_URL": SendTo(TELEMETRY, dead_letter=True),
            "FORWARD_QUEUE_URL": SendTo(TELEMETRY_FORWARD),
            "FORWARD_REJECTED_QUEUE_URL": SendTo(TELEMETRY_FORWARD, dead_letter=True),
            "GPU_FAULTS_QUEUE_URL": SendTo(GPU_FAULTS),
            "GPU_READINGS_QUEUE_URL": SendTo(GPU_READINGS),
            "LLM_SPANS_QUEUE_URL": SendTo(LLM_SPANS),
            "SERIES_QUEUE_URL": SendTo(SERIES),
            "BACKENDS_SECRET_ARN": Read(BACKENDS),
            "INGEST_ROLE_ID": RoleId("ingest"),
        },
        reads_otlp=True,
        on_page_path=False,
    ),
    Function(
        "watchdog",
        "sweeps what a crash left, sees nodes fall silent, drives timers, keeps the page path warm",
        (EveryMinute(),),
        timeout_s=50,
        memory_mb=512,
        environment={
            "INCIDENTS_TABLE": Table.SWEEP,
            "FLEET_TABLE": Fleet.WATCH,
            "GPU_FAULTS_QUEUE_URL": SendTo(GPU_FAULTS),
            "SIGNALS_QUEUE_URL": SendTo(SIGNALS),
            **_WAKES,
        },
        on_page_path=False,
    ),
)
