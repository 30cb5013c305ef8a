import json
import re
from typing import Any

import pytest

from infra import catalog
from infra.kinds import Secret, Topic
from infra.paths import ROOT, TEMPLATE
from reflexarc.events.fleet import Leaving
from tests.infra.deployed import name_of, properties, resources, template

SECTIONS = ("## Overview", "## Symptoms", "## Procedure")


def runbooks() -> set[str]:
    pages = set()
    for alarm in resources("AWS::CloudWatch::Alarm").values():
        page = re.search(r"docs/runbooks/[a-z-]+\.md", alarm["Properties"]["AlarmDescription"])
        assert page is not None
        pages.add(page.group())
    return pages


def test_parameters_have_the_documented_defaults() -> None:
    defaults = {name: given.get("Default") for name, given in template()["Parameters"].items()}

    assert defaults == {
        "SlackChannel": "#gpu-alerts",
        "SlackApiUrl": "https://slack.com/api",
        "PagerDutyUrl": "https://events.pagerduty.com",
        "IngestAuth": "AWS_IAM",
        "LogLevel": "INFO",
        "UsageRetentionDays": 90,
        "TelemetryArchiveDays": 30,
        "LogRetentionDays": "30",
        "OpsEmail": "",
        "AgentPrincipals": "",
        "ReservedConcurrency": 0,
        "Emulator": "no",
    }


def test_outputs_are_what_people_and_the_emulator_lane_read() -> None:
    assert set(template()["Outputs"]) == {
        "GpuFaultsQueueUrl", "GpuFaultsDlqUrl", "GpuReadingsQueueUrl", "GpuReadingsDlqUrl",
        "SignalsQueueUrl", "SignalsDlqUrl", "NotifySlackQueueUrl", "NotifySlackDlqUrl",
        "NotifyPagerdutyQueueUrl", "NotifyPagerdutyDlqUrl", "NotifyLaterQueueUrl",
        "NotifyLaterDlqUrl", "IncidentsTableName", "FleetTableName", "SlackSecretArn",
        "PagerDutySecretArn", "WebhookSecretArn", "NotifyOthersQueueUrl", "NotifyOthersDlqUrl",
        "AlertsTopicArn", "TelemetrySecretArn", "TelemetryQueueUrl", "TelemetryDlqUrl",
        "TelemetryForwardQueueUrl", "TelemetryForwardDlqUrl", "LlmSpansQueueUrl", "LlmSpansDlqUrl",
        "SeriesQueueUrl", "SeriesDlqUrl", "TelemetryTableName", "TelemetryBucketName",
        "ForwarderPolicyArn",
        "AgentPolicyArn", "IngestUrl", "IngestPolicyArn", "SlackActionUrl", "OpsTopicArn",
    }  # fmt: skip


def test_only_what_an_emulator_lacks_is_left_out_there() -> None:
    conditional = {
        resource["Type"]
        for resource in template()["Resources"].values()
        if resource.get("Condition") == "OnAws"
    }

    assert conditional == {
        "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy",
        "AWS::Events::Rule",
    }  # fmt: skip


def test_the_template_needs_no_custom_resource_and_no_bootstrap() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")

    assert "Custom::" not in text
    assert "BootstrapVersion" not in text
    assert "Transform" not in template()


def test_assets_are_paths_in_this_checkout() -> None:
    asset = {"AWS::Lambda::Function": "Code", "AWS::Lambda::LayerVersion": "Content"}

    paths = {
        resource["Properties"][name]
        for kind, name in asset.items()
        for resource in resources(kind).values()
    }

    for path in paths:
        assert path.startswith("../")
        assert (TEMPLATE.parent / path).resolve().is_relative_to(ROOT)


def test_the_incidents_table_is_what_the_adapters_expect() -> None:
    table = properties("IncidentsTable")

    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert table["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "watch",
            "KeySchema": [
                {"AttributeName": "watch_pk", "KeyType": "HASH"},
                {"AttributeName": "watch_sk", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_the_incidents_table_survives_mistakes() -> None:
    table = template()["Resources"]["IncidentsTable"]

    assert table["DeletionPolicy"] == "RetainExceptOnCreate"
    assert table["UpdateReplacePolicy"] == "Retain"
    recovery = table["Properties"]["PointInTimeRecoverySpecification"]
    assert recovery["PointInTimeRecoveryEnabled"] is True
    assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True}


def test_the_fleet_table_forgets_by_itself_and_is_billed_by_use() -> None:
    table = properties("FleetTable")

    assert table["KeySchema"] == properties("IncidentsTable")["KeySchema"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_the_telemetry_table_keeps_its_evidence_and_forgets_what_it_need_not_know() -> None:
    table = template()["Resources"]["TelemetryTable"]

    assert table["DeletionPolicy"] == "RetainExceptOnCreate"
    assert table["Properties"]["KeySchema"] == properties("IncidentsTable")["KeySchema"]
    assert table["Properties"]["TimeToLiveSpecification"] == {
        "AttributeName": "ttl",
        "Enabled": True,
    }
    assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True}


@pytest.mark.parametrize("secret", catalog.SECRETS, ids=lambda s: s.name)
def test_a_secret_is_created_empty(secret: Secret) -> None:
    deployed = properties(f"{secret.title}Secret")

    # Another placeholder would be written over the owner's value at the next deployment.
    frozen = {
        "slack": {"token": "", "webhook_url": ""},
        "pagerduty": {"routing_key": ""},
        "webhook": {},
        "telemetry": {},
    }
    assert json.loads(deployed["SecretString"]) == frozen[secret.name]


def test_every_alarm_reaches_the_ops_topic_and_tells_when_it_is_over() -> None:
    for alarm in resources("AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": "Ops"}]
        assert alarm["Properties"]["OKActions"] == [{"Ref": "Ops"}]
        silent = alarm["Properties"]["ComparisonOperator"] == "LessThanThreshold"
        assert alarm["Properties"]["TreatMissingData"] == (
            "breaching" if silent else "notBreaching"
        )


def test_every_alarm_has_a_complete_runbook_page_and_every_page_an_alarm() -> None:
    pages = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "docs" / "runbooks").glob("*.md")
        if path.name not in {"README.md", "dead-letters.md"}
    }

    assert pages == runbooks()
    for page in pages:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert [section for section in SECTIONS if section not in text] == [], page
        assert "```" in text, f"{page} has no command"


@pytest.mark.parametrize(
    ("metric", "service"),
    [
        ("DeliveryFailing", "notify"),
        ("FaultsRejected", "gpu_alert"),
        ("ClicksRefused", "slack_action"),
        ("Swept", "watchdog"),
        ("SecretsFailing", "notify"),
        ("BackendFailing", "telemetry_rules"),
    ],
)
def test_our_own_metrics_are_watched_under_the_names_that_functions_write(
    metric: str, service: str
) -> None:
    (alarm,) = (
        alarm["Properties"]
        for alarm in resources("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["MetricName"] == metric
    )

    assert alarm["Namespace"] == "reflexarc"
    assert alarm["Dimensions"] == [{"Name": "service", "Value": service}]


def test_every_function_rings_on_errors_and_the_account_on_throttles() -> None:
    watched = {
        (
            tuple(each["Value"]["Ref"] for each in alarm["Properties"].get("Dimensions", ())),
            alarm["Properties"]["MetricName"],
        )
        for alarm in resources("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["Namespace"] == "AWS/Lambda"
    }

    functions = {(names[0], metric) for names, metric in watched if names}
    assert {metric for names, metric in watched if not names} == {"Throttles"}
    assert functions == {
        (f"{function.title}Function", "Errors") for function in catalog.FUNCTIONS
    } | {
        ("WatchdogFunction", "Invocations"),
        ("IngestFunction", "Url4xxCount"),
        ("IngestFunction", "Url5xxCount"),
        ("SlackActionFunction", "Url5xxCount"),
    }


def test_a_watchdog_that_does_not_run_rings() -> None:
    alarm = properties("WatchdogSilentAlarm")

    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert (alarm["TreatMissingData"], alarm["Period"]) == ("breaching", 60)


def test_instances_that_a_group_ends_become_a_message_of_ours() -> None:
    rule = properties("Leavers")
    (target,) = rule["Targets"]
    event = {
        "time": "2026-11-24T03:13:07Z",
        "detail": {"EC2InstanceId": "i-0a1b2c3d4e5f60718", "AutoScalingGroupName": "h100"},
    }

    body = target["InputTransformer"]["InputTemplate"]
    for name, path in target["InputTransformer"]["InputPathsMap"].items():
        value: Any = event
        for part in path.removeprefix("$.").split("."):
            value = value[part]
        body = body.replace(f"<{name}>", json.dumps(value))

    leaving = Leaving.model_validate_json(body)
    assert (leaving.instance, leaving.group) == ("i-0a1b2c3d4e5f60718", "h100")
    assert rule["EventPattern"]["source"] == ["aws.autoscaling"]
    assert target["Arn"] == {"Fn::GetAtt": ["SignalsQueue", "Arn"]}


@pytest.mark.parametrize("topic", catalog.TOPICS, ids=lambda t: t.name)
def test_a_topic_of_alerts_is_encrypted_and_refuses_plain_http(topic: Topic) -> None:
    deployed = properties(f"{topic.title}Topic")
    (deny,) = properties(f"{topic.title}TopicPolicy")["PolicyDocument"]["Statement"]

    assert name_of(deployed["TopicName"]) == f"-{topic.name}"
    assert deployed["KmsMasterKeyId"] == "alias/aws/sns"
    assert (deny["Effect"], deny["Principal"]) == ("Deny", {"AWS": "*"})
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_ops_topic_lets_alarms_in_and_plain_http_not() -> None:
    deny, allow = properties("OpsPolicy")["PolicyDocument"]["Statement"]

    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
