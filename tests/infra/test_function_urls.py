"""The URL of ingest: closed by default, open only where the function itself asks for a token."""

from typing import Any

from infra import catalog
from tests.infra.deployed import properties, resources, statements, template

FUNCTION = {"Fn::GetAtt": ["IngestFunction", "Arn"]}


def test_there_is_one_url_and_aws_checks_who_calls_unless_told_otherwise() -> None:
    (url,) = resources("AWS::Lambda::Url").values()

    assert url["Properties"]["TargetFunctionArn"] == FUNCTION
    assert url["Properties"]["AuthType"] == {"Fn::If": ["IngestByToken", "NONE", "AWS_IAM"]}
    assert "Cors" not in url["Properties"]
    assert template()["Conditions"]["IngestByToken"] == {
        "Fn::Equals": [{"Ref": "IngestAuth"}, "TOKEN"]
    }


def test_the_function_asks_for_a_token_exactly_where_aws_does_not_check() -> None:
    variables = properties("IngestFunction")["Environment"]["Variables"]

    assert variables["INGEST_AUTH"] == {"Ref": "IngestAuth"}


def test_everybody_may_call_only_through_the_url_and_only_with_tokens() -> None:
    open_to_all = {
        name: permission
        for name, permission in resources("AWS::Lambda::Permission").items()
        if permission["Properties"]["Principal"] == "*"
    }

    assert set(open_to_all) == {"IngestOpenUrl", "IngestOpenInvoke"}
    for permission in open_to_all.values():
        assert permission["Condition"] == "IngestByToken"
        assert permission["Properties"]["FunctionName"] == FUNCTION
    assert open_to_all["IngestOpenUrl"]["Properties"]["FunctionUrlAuthType"] == "NONE"
    assert open_to_all["IngestOpenInvoke"]["Properties"]["InvokedViaFunctionUrl"] is True


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


def test_ingest_has_no_queue_to_read_and_two_to_send_to() -> None:
    document = properties("IngestRoleDefaultPolicy")["PolicyDocument"]

    queues = {
        s["Resource"]["Fn::GetAtt"][0]: s["Action"]
        for s in statements(document)
        if "sqs" in str(s["Action"])
    }

    assert queues == {"GpuFaultsQueue": "sqs:SendMessage", "GpuReadingsQueue": "sqs:SendMessage"}


def test_who_reads_the_agents_queues_knows_the_role_whose_word_counts() -> None:
    told = {
        function.name
        for function in catalog.FUNCTIONS
        if properties(f"{function.title}Function")["Environment"]["Variables"].get("INGEST_ROLE_ID")
        == {"Fn::GetAtt": ["IngestRole", "RoleId"]}
    }

    assert told == {"gpu_alert", "gpu_reading"}
