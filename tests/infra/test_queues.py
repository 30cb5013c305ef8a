import pytest

from infra import catalog, kinds
from infra.kinds import FromQueue, Function, Queue
from infra.paths import ROOT
from reflexarc.notify.model import LEASE
from tests.infra.deployed import name_of, properties, resources, template

every_queue = pytest.mark.parametrize("queue", catalog.QUEUES, ids=lambda q: q.name)
WAKING = (catalog.NOTIFY_SLACK, catalog.NOTIFY_PAGERDUTY, catalog.NOTIFY_OTHERS)
every_mapping = pytest.mark.parametrize(
    ("function", "trigger"),
    [
        pytest.param(function, trigger, id=trigger.queue.name)
        for function in catalog.FUNCTIONS
        for trigger in function.triggers
        if isinstance(trigger, FromQueue)
    ],
)


def title(queue: Queue) -> str:
    return "".join(word.capitalize() for word in queue.name.split("-"))


def test_every_queue_is_of_the_catalogue_or_its_dead_letter_queue() -> None:
    expected = {f"{title(queue)}{kind}" for queue in catalog.QUEUES for kind in ("Queue", "Dlq")}

    assert set(resources("AWS::SQS::Queue")) == expected


@every_queue
def test_a_queue_is_named_after_the_stack(queue: Queue) -> None:
    main, dead_letter = properties(f"{title(queue)}Queue"), properties(f"{title(queue)}Dlq")

    ending = ".fifo" if queue.fifo else ""

    assert name_of(main["QueueName"]) == f"-{queue.name}{ending}"
    assert name_of(dead_letter["QueueName"]) == f"-{queue.name}-dlq{ending}"


@every_queue
def test_a_queue_and_its_dead_letters_are_encrypted(queue: Queue) -> None:
    assert properties(f"{title(queue)}Queue")["SqsManagedSseEnabled"] is True
    assert properties(f"{title(queue)}Dlq")["SqsManagedSseEnabled"] is True


@every_queue
def test_a_failed_message_is_kept_for_two_weeks(queue: Queue) -> None:
    redrive = properties(f"{title(queue)}Queue")["RedrivePolicy"]

    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [f"{title(queue)}Dlq", "Arn"]}
    assert redrive["maxReceiveCount"] == queue.max_receive
    assert properties(f"{title(queue)}Dlq")["MessageRetentionPeriod"] == 14 * kinds.DAY


@every_queue
def test_a_dead_letter_rings_an_alarm_that_names_a_page(queue: Queue) -> None:
    alarm = properties(f"{title(queue)}DlqAlarm")

    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": [f"{title(queue)}Dlq", "QueueName"]}}
    ]
    assert alarm["Threshold"] == 1
    assert f"docs/runbooks/{queue.name}-dlq.md" in alarm["AlarmDescription"]
    assert (ROOT / "docs" / "runbooks" / f"{queue.name}-dlq.md").is_file()


def test_every_queue_that_is_consumed_rings_when_its_messages_grow_old() -> None:
    consumed = {
        trigger.queue.name
        for function in catalog.FUNCTIONS
        for trigger in function.triggers
        if isinstance(trigger, FromQueue)
    }

    watched = {queue.name for queue in catalog.QUEUES if queue.oldest_alarm_s is not None}

    assert watched == consumed
    for queue in catalog.QUEUES:
        if queue.name in watched:
            assert properties(f"{title(queue)}AgeAlarm")["Threshold"] == queue.oldest_alarm_s


@every_queue
@pytest.mark.parametrize("kind", ["Queue", "Dlq"])
def test_a_queue_refuses_whoever_does_not_use_tls(queue: Queue, kind: str) -> None:
    policy = template()["Resources"][f"{title(queue)}{kind}Policy"]

    # Where the policy says more that an emulator needs, the demand alone is left out there.
    demand, *_ = policy["Properties"]["PolicyDocument"]["Statement"]
    if "Fn::If" in demand:
        condition, demand, _ = demand["Fn::If"]
        assert (condition, policy.get("Condition")) == ("OnAws", None)

    assert policy["Properties"]["Queues"] == [{"Ref": f"{title(queue)}{kind}"}]
    assert demand == {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": {"Fn::GetAtt": [f"{title(queue)}{kind}", "Arn"]},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_tls_is_enforced_unless_the_emulator_is_asked_for() -> None:
    policies = resources("AWS::SQS::QueuePolicy")

    everywhere = {name for name, policy in policies.items() if policy.get("Condition") != "OnAws"}
    assert everywhere == {"TelemetryQueuePolicy"}
    assert template()["Conditions"]["OnAws"] == {"Fn::Equals": [{"Ref": "Emulator"}, "no"]}
    assert template()["Parameters"]["Emulator"]["Default"] == "no"


@every_mapping
def test_a_mapping_reports_partial_failures(function: Function, trigger: FromQueue) -> None:
    mapping = properties(f"{title(trigger.queue)}Mapping")

    assert mapping["FunctionName"] == {"Ref": f"{function.title}Function"}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == trigger.batch_size
    assert mapping.get("ScalingConfig", {}).get("MaximumConcurrency") == trigger.max_concurrency
    assert mapping.get("MaximumBatchingWindowInSeconds", 0) == trigger.window_s


@every_mapping
def test_a_message_stays_hidden_longer_than_its_function_may_run(
    function: Function, trigger: FromQueue
) -> None:
    visibility = properties(f"{title(trigger.queue)}Queue")["VisibilityTimeout"]

    # The page path's wake-ups follow the lease instead: see the next test. A fault does not wait as
    # long for a killed function as AWS advises: what comes twice is in the ledger.
    factor = 1 if trigger.queue.fifo else catalog.VISIBILITY_PER_TIMEOUT
    if trigger.queue in {catalog.GPU_FAULTS, catalog.SIGNALS}:
        factor = catalog.FAULTS_VISIBILITY_PER_TIMEOUT

    assert visibility >= factor * function.timeout_s + trigger.window_s


@pytest.mark.parametrize("queue", WAKING)
def test_a_lease_outlives_its_sender_and_ends_before_the_wake_up_returns(queue: Queue) -> None:
    timeout = properties("NotifyFunction")["Timeout"]
    visibility = properties(f"{title(queue)}Queue")["VisibilityTimeout"]

    assert timeout < LEASE.total_seconds()
    assert timeout + LEASE.total_seconds() < visibility
    assert LEASE.total_seconds() == catalog.LEASE_S


def test_the_bulk_mappings_leave_concurrency_to_the_page_path() -> None:
    signals, readings = properties("SignalsMapping"), properties("GpuReadingsMapping")

    assert signals["ScalingConfig"]["MaximumConcurrency"] == 10
    assert readings["ScalingConfig"]["MaximumConcurrency"] == 10
    assert properties("TelemetryMapping")["ScalingConfig"]["MaximumConcurrency"] == 20
    assert properties("TelemetryForwardMapping")["ScalingConfig"]["MaximumConcurrency"] == 5
    assert "ScalingConfig" not in properties("GpuFaultsMapping")


@pytest.mark.parametrize("queue", WAKING)
def test_two_wake_ups_are_never_the_same_message(queue: Queue) -> None:
    deployed = properties(f"{title(queue)}Queue")

    assert deployed["FifoQueue"] is True
    assert deployed["ContentBasedDeduplication"] is False
    assert deployed["FifoThroughputLimit"] == "perMessageGroupId"
