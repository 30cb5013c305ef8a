import re
from collections.abc import Iterator
from typing import Any

import pytest

from infra import catalog, kinds
from infra.kinds import Function, Publish
from tests.infra.deployed import as_list, properties, resources, statements

every_function = pytest.mark.parametrize("function", catalog.FUNCTIONS, ids=lambda f: f.name)


def arn_of(table: str) -> str:
    return str({"Fn::GetAtt": [table, "Arn"]})


INCIDENTS = arn_of("IncidentsTable")
BUCKET = {"Fn::GetAtt": ["TelemetryBucket", "Arn"]}


def granted(function: Function, service: str) -> Iterator[tuple[str, str]]:
    """Yield (action, resource) of one service that the function's role allows."""
    document = properties(f"{function.title}RoleDefaultPolicy")["PolicyDocument"]
    for statement in statements(document):
        for action in as_list(statement["Action"]):
            if action.startswith(f"{service}:"):
                for resource in as_list(statement["Resource"]):
                    yield action, str(resource)


def allowances() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::SQS::QueuePolicy"):
        for logical_id, resource in resources(kind).items():
            for statement in statements(resource["Properties"]["PolicyDocument"]):
                if statement["Effect"] == "Allow":
                    yield logical_id, statement


def test_no_policy_allows_a_wildcard_action_or_resource() -> None:
    wide = [
        logical_id
        for logical_id, statement in allowances()
        if "*" in str(statement["Action"])
        or any(
            "*" in str(arn) and not under_a_prefix(arn) for arn in as_list(statement["Resource"])
        )
    ]

    assert wide == []


def under_a_prefix(arn: Any) -> bool:
    """Return whether this names the objects under one prefix of our bucket."""
    if not isinstance(arn, dict) or arn.get("Fn::Join", [None, [None]])[1][0] != BUCKET:
        return False
    return re.fullmatch(r"/[a-z-]+/\*", arn["Fn::Join"][1][1]) is not None


def test_no_role_carries_a_policy_that_this_template_does_not_spell_out() -> None:
    for role in resources("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]


def test_only_lambda_may_assume_the_roles() -> None:
    for role in resources("AWS::IAM::Role").values():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}


@every_function
def test_a_function_sends_only_to_the_queues_that_its_environment_names(
    function: Function,
) -> None:
    named = {value for value in function.environment.values() if isinstance(value, kinds.SendTo)}

    sends = {resource for action, resource in granted(function, "sqs") if "SendMessage" in action}

    assert len(sends) == len(named)


@every_function
def test_a_function_publishes_only_to_the_topics_that_its_environment_names(
    function: Function,
) -> None:
    topics = [value.topic for value in function.environment.values() if isinstance(value, Publish)]

    assert list(granted(function, "sns")) == [
        ("sns:Publish", str({"Ref": f"{topic.title}Topic"})) for topic in topics
    ]


@every_function
def test_a_function_reads_only_the_secrets_that_its_environment_names(function: Function) -> None:
    named = {
        value.secret.name
        for value in function.environment.values()
        if isinstance(value, kinds.Read)
    }

    granted_actions = list(granted(function, "secretsmanager"))

    assert {action for action, _ in granted_actions} <= {"secretsmanager:GetSecretValue"}
    for name in named:
        assert [arn for _, arn in granted_actions if f"/{name}-??????'" in arn]
    assert len(granted_actions) == len(named)


@every_function
def test_a_function_writes_only_its_own_log(function: Function) -> None:
    logs = list(granted(function, "logs"))

    own = str({"Fn::GetAtt": [f"{function.title}Logs", "Arn"]})
    assert sorted(logs) == [("logs:CreateLogStream", own), ("logs:PutLogEvents", own)]


@every_function
def test_a_function_does_with_the_table_only_what_the_catalogue_says(function: Function) -> None:
    allowed = {
        table: {action for action, arn in granted(function, "dynamodb") if arn == arn_of(table)}
        for table in ("IncidentsTable", "FleetTable", "TelemetryTable")
    }

    wanted = {
        table: {
            f"dynamodb:{action}"
            for value in function.environment.values()
            if isinstance(value, kind)
            for action in (value.actions if isinstance(value, kinds.Table) else value.value)
        }
        for table, kind in (
            ("IncidentsTable", kinds.Table),
            ("FleetTable", kinds.Fleet),
            ("TelemetryTable", kinds.Accounts),
        )
    }
    assert allowed == wanted


def test_readings_can_bind_a_node_and_touch_no_incident() -> None:
    document = properties("GpuReadingRoleDefaultPolicy")["PolicyDocument"]

    (statement,) = (s for s in statements(document) if str(s["Resource"]) == INCIDENTS)

    assert statement["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["NODE#*", "CONFIG"]}
    }


def test_the_watchdog_can_neither_read_nor_change_an_incident() -> None:
    document = properties("WatchdogRoleDefaultPolicy")["PolicyDocument"]
    watchdog = next(f for f in catalog.FUNCTIONS if f.name == "watchdog")

    (on_table,) = (s for s in statements(document) if str(s["Resource"]) == INCIDENTS)
    on_index = {arn for action, arn in granted(watchdog, "dynamodb") if "/index/" in arn}

    assert on_table["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["CONFIG"]}
    }
    assert [each.endswith("'/index/watch']]}") for each in on_index] == [True]


def test_auto_scaling_may_tell_the_signals_queue_and_no_other() -> None:
    told = {
        logical_id: statement
        for logical_id, policy in resources("AWS::SQS::QueuePolicy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement.get("Principal") == {"Service": "events.amazonaws.com"}
    }

    assert set(told) == {"SignalsQueuePolicy"}
    (statement,) = told.values()
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Leavers", "Arn"]}}
    }


@every_function
def test_a_function_does_with_the_bucket_only_what_the_catalogue_says(function: Function) -> None:
    wanted = {
        (f"s3:{action}", f"/{prefix}/*")
        for value in function.environment.values()
        if isinstance(value, kinds.Objects)
        for actions, prefixes in value.value
        for action in actions
        for prefix in prefixes
    }

    document = properties(f"{function.title}RoleDefaultPolicy")["PolicyDocument"]
    allowed = {
        (action, arn["Fn::Join"][1][1] if "Fn::Join" in arn else "the bucket")
        for statement in statements(document)
        for action in as_list(statement["Action"])
        if action.startswith("s3:")
        for arn in as_list(statement["Resource"])
    }

    # Who reads must know a key that is gone from one that it may not see.
    listing = {("s3:ListBucket", "the bucket")} if function.name == "telemetry_rules" else set()
    assert allowed == wanted | listing


def test_ingest_may_only_hand_in_and_the_rules_never_read_what_they_archived() -> None:
    assert kinds.Objects.HAND_IN.value == ((("PutObject",), ("inbox",)),)
    read = {
        prefix
        for actions, prefixes in kinds.Objects.WORK.value
        for prefix in prefixes
        if "GetObject" in actions
    }

    assert "archive" not in read
    deleted = {
        prefix
        for actions, prefixes in kinds.Objects.WORK.value
        for prefix in prefixes
        if "DeleteObject" in actions
    }
    assert deleted == {"inbox", "inbox-direct", "forward"}


def test_a_forwarder_may_send_and_write_to_its_own_places_alone() -> None:
    queue, objects = statements(properties("ForwarderSend")["PolicyDocument"])

    assert (queue["Action"], queue["Resource"]) == (
        "sqs:SendMessage",
        {"Fn::GetAtt": ["TelemetryQueue", "Arn"]},
    )
    assert objects["Action"] == "s3:PutObject"
    assert objects["Resource"] == {"Fn::Join": ["", [BUCKET, "/inbox-direct/*"]]}


def test_s3_may_speak_to_the_telemetry_queue_for_our_bucket_and_account_alone() -> None:
    told = {
        logical_id: statement
        for logical_id, policy in resources("AWS::SQS::QueuePolicy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement.get("Principal") == {"Service": "s3.amazonaws.com"}
    }

    assert set(told) == {"TelemetryQueuePolicy"}
    (statement,) = told.values()
    assert statement["Action"] == "sqs:SendMessage"
    held = statement["Condition"]
    assert held["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    name = properties("TelemetryBucket")["BucketName"]["Fn::Join"][1]
    assert held["ArnEquals"]["aws:SourceArn"]["Fn::Join"][1][-1]["Fn::Join"][1] == name


def test_an_agent_may_send_to_its_two_queues_and_do_nothing_else() -> None:
    (statement,) = statements(properties("AgentSend")["PolicyDocument"])

    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == [
        {"Fn::GetAtt": ["GpuFaultsQueue", "Arn"]},
        {"Fn::GetAtt": ["GpuReadingsQueue", "Arn"]},
    ]


def test_other_accounts_may_send_only_when_a_parameter_names_them() -> None:
    conditional = {
        logical_id: statement["Fn::If"]
        for logical_id, policy in resources("AWS::SQS::QueuePolicy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "Fn::If" in statement and statement["Fn::If"][1]["Effect"] == "Allow"
    }

    assert set(conditional) == {"GpuFaultsQueuePolicy", "GpuReadingsQueuePolicy"}
    for condition, allowed, otherwise in conditional.values():
        assert condition == "HasAgentPrincipals"
        assert allowed["Principal"] == {"AWS": {"Ref": "AgentPrincipals"}}
        assert allowed["Action"] == "sqs:SendMessage"
        assert otherwise == {"Ref": "AWS::NoValue"}
