"""The bucket of telemetry: private, encrypted, over TLS alone, and nothing stays for ever."""

from infra import kinds
from tests.infra.deployed import properties, template


def test_nobody_outside_the_account_can_see_the_bucket() -> None:
    bucket = properties("TelemetryBucket")

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_objects_are_encrypted_and_have_one_version() -> None:
    bucket = properties("TelemetryBucket")
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert "VersioningConfiguration" not in bucket


def test_the_bucket_refuses_whoever_does_not_use_tls() -> None:
    policy = template()["Resources"]["TelemetryBucketPolicy"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]

    assert policy["Condition"] == "OnAws"
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == "s3:*"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_prefix_ends_and_the_archive_when_its_parameter_says() -> None:
    rules = properties("TelemetryBucket")["LifecycleConfiguration"]["Rules"]
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}

    used = {
        f"{prefix}/"
        for access in kinds.Objects
        for _, prefixes in access.value
        for prefix in prefixes
    }
    assert set(days) == used
    assert days.pop("archive/") == {"Ref": "TelemetryArchiveDays"}
    assert set(days.values()) == {14}
    assert all(rule["Status"] == "Enabled" for rule in rules)


def test_a_pointer_never_outlives_what_it_points_at() -> None:
    rules = properties("TelemetryBucket")["LifecycleConfiguration"]["Rules"]
    (inbox,) = (rule for rule in rules if rule.get("Prefix") == "inbox/")

    for queue in ("TelemetryQueue", "TelemetryDlq"):
        kept = properties(queue)["MessageRetentionPeriod"]
        assert kept <= inbox["ExpirationInDays"] * kinds.DAY


def test_what_forwarders_write_becomes_a_message_and_what_we_write_does_not() -> None:
    told = properties("TelemetryBucket")["NotificationConfiguration"]["QueueConfigurations"]

    (one,) = told
    assert one["Queue"] == {"Fn::GetAtt": ["TelemetryQueue", "Arn"]}
    assert one["Event"] == "s3:ObjectCreated:*"
    assert one["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": "inbox-direct/"}]}}


def test_the_queue_listens_before_s3_asks_whether_it_does() -> None:
    assert template()["Resources"]["TelemetryBucket"]["DependsOn"] == ["TelemetryQueuePolicy"]


def test_the_archive_outlives_the_stack() -> None:
    bucket = template()["Resources"]["TelemetryBucket"]

    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["UpdateReplacePolicy"] == "Retain"
