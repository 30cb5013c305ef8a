"""The URLs: open to everybody only where the function itself checks who calls."""

from typing import Any

from infra import catalog
from tests.infra.deployed import properties, resources, statements, template

FUNCTION = {"Fn::GetAtt": ["IngestFunction", "Arn"]}
CLICKS = {"Fn::GetAtt": ["SlackActionFunction", "Arn"]}


def test_there_are_two_urls_and_no_web_page_may_read_their_answers() -> None:
    urls = resources("AWS::Lambda::Url")

    assert set(urls) == {"IngestEndpoint", "SlackActionEndpoint"}
    assert [url for url in urls.values() if "Cors" in url["Properties"]] == []


def test_aws_checks_who_calls_ingest_unless_told_otherwise() -> None:
    url = properties("IngestEndpoint")

    assert url["TargetFunctionArn"] == FUNCTION
    assert url["AuthType"] == {"Fn::If": ["IngestByToken", "NONE", "AWS_IAM"]}
    assert template()["Conditions"]["IngestByToken"] == {
        "Fn::Equals": [{"Ref": "IngestAuth"}, "TOKEN"]
    }


def test_the_function_asks_for_a_token_exactly_where_aws_does_not_check() -> None:
    variables = properties("IngestFunction")["Environment"]["Variables"]

    assert variables["INGEST_AUTH"] == {"Ref": "IngestAuth"}


def test_slack_calls_a_url_that_aws_does_not_check() -> None:
    url = properties("SlackActionEndpoint")

    assert url["TargetFunctionArn"] == CLICKS
    assert url["AuthType"] == "NONE"


def test_everybody_may_call_only_through_a_url_and_ingest_only_with_tokens() -> None:
    open_to_all = {
        name: permission
        for name, permission in resources("AWS::Lambda::Permission").items()
        if permission["Properties"]["Principal"] == "*"
    }

    assert set(open_to_all) == {
        "IngestOpenUrl", "IngestOpenInvoke", "SlackActionOpenUrl", "SlackActionOpenInvoke",
    }  # fmt: skip
    for title, function, condition in (
        ("Ingest", FUNCTION, "IngestByToken"),
        ("SlackAction", CLICKS, None),
    ):
        url, invoke = open_to_all[f"{title}OpenUrl"], open_to_all[f"{title}OpenInvoke"]
        assert [each.get("Condition") for each in (url, invoke)] == [condition, condition]
        assert url["Properties"]["FunctionName"] == function == invoke["Properties"]["FunctionName"]
        assert url["Properties"]["FunctionUrlAuthType"] == "NONE"
        assert invoke["Properties"]["InvokedViaFunctionUrl"] is True


def test_a_caller_may_do_nothing_but_call_the_url() -> None:
    allowed: dict[str, Any] = {
        statement["Action"]: (statement["Resource"], statement["Condition"])
        for statement in statements(properties("IngestPost")["PolicyDocument"])
    }

    assert allowed == {
        "lambda:InvokeFunctionUrl": (
            FUNCTION,
            {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
        ),
        "lambda:InvokeFunction": (
            FUNCTION,
            {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
        ),
    }


def test_ingest_reads_tokens_and_no_other_row() -> None:
    document = properties("IngestRoleDefaultPolicy")["PolicyDocument"]

    (table,) = (s for s in statements(document) if "dynamodb" in str(s["Action"]))

    assert table["Action"] == "dynamodb:GetItem"
    assert table["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["TOKEN#*"]}}


def test_ingest_has_no_queue_to_read_and_three_to_send_to() -> None:
    document = properties("IngestRoleDefaultPolicy")["PolicyDocument"]

    queues = {
        s["Resource"]["Fn::GetAtt"][0]: s["Action"]
        for s in statements(document)
        if "sqs" in str(s["Action"])
    }

    assert queues == dict.fromkeys(
        ("GpuFaultsQueue", "GpuReadingsQueue", "TelemetryQueue"), "sqs:SendMessage"
    )


def test_who_reads_what_others_hand_on_knows_the_roles_whose_word_counts() -> None:
    def told(name: str, role: str) -> set[str]:
        return {
            function.name
            for function in catalog.FUNCTIONS
            if properties(f"{function.title}Function")["Environment"]["Variables"].get(name)
            == {"Fn::GetAtt": [role, "RoleId"]}
        }

    agents = {"gpu_alert", "gpu_reading"}
    assert told("INGEST_ROLE_ID", "IngestRole") == agents | {"telemetry_rules"}
    assert told("TELEMETRY_ROLE_ID", "TelemetryRulesRole") == agents


def test_whoever_may_call_slack_action_reaches_click_rows_one_queue_and_one_secret() -> None:
    document = properties("SlackActionRoleDefaultPolicy")["PolicyDocument"]

    allowed = {
        s["Action"]: s for s in statements(document) if not str(s["Action"]).startswith("['logs:")
    }

    assert set(allowed) == {
        "dynamodb:PutItem", "sqs:SendMessage", "secretsmanager:GetSecretValue",
    }  # fmt: skip
    assert allowed["dynamodb:PutItem"]["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["CLICK#*"]}
    }
    assert allowed["sqs:SendMessage"]["Resource"] == {"Fn::GetAtt": ["SignalsQueue", "Arn"]}
    assert ":secret:${AWS::StackName}/slack-??????" in str(
        allowed["secretsmanager:GetSecretValue"]["Resource"]
    )
