"""What an operator may set at deployment, and the conditions that follow from it."""

from aws_cdk import CfnCondition, CfnParameter, Fn, Token
from constructs import Construct

# What CloudWatch Logs accepts, in days.
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
_RETENTION_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653]


class Parameters:
    """The stack's parameters and conditions, by the names that people type."""

    def __init__(self, scope: Construct) -> None:
        self._scope = scope
        self._texts: dict[str, CfnParameter] = {
            "SlackChannel": self._text(
                "SlackChannel", "#gpu-alerts", "Slack channel (name or id) that alerts go to"
            ),
            "SlackApiUrl": self._text(
                "SlackApiUrl", "https://slack.com/api", "Where Slack's Web API answers"
            ),
            "PagerDutyUrl": self._text(
                "PagerDutyUrl", "https://events.pagerduty.com", "Where PagerDuty Events v2 answers"
            ),
            "IngestAuth": self._text(
                "IngestAuth",
                "AWS_IAM",
                "Who may post to IngestUrl: callers signed by AWS, or holders of a bearer token",
                ["AWS_IAM", "TOKEN"],
            ),
            "LogLevel": self._text(
                "LogLevel", "INFO", "How much the functions log", ["DEBUG", "INFO", "WARNING"]
            ),
            "UsageRetentionDays": CfnParameter(
                scope,
                "UsageRetentionDays",
                type="Number",
                default=90,
                min_value=1,
                description="Days that the idle hours of each GPU are kept",
            ),
        }
        self.archive_days = CfnParameter(
            scope,
            "TelemetryArchiveDays",
            type="Number",
            default=30,
            min_value=1,
            description="Days that telemetry is archived, as it came, before rules drop from it",
        ).value_as_number
        self.log_retention = CfnParameter(
            scope,
            "LogRetentionDays",
            type="Number",
            default="30",
            allowed_values=[str(days) for days in _RETENTION_DAYS],
            description="Days that the functions' logs are kept",
        ).value_as_number
        ops_email = self._text(
            "OpsEmail", "", "Address that hears when reflexarc itself is ill; empty: none"
        )
        self.ops_email = ops_email.value_as_string
        self.has_ops_email = self._given("HasOpsEmail", self.ops_email)
        principals = CfnParameter(
            scope,
            "AgentPrincipals",
            type="CommaDelimitedList",
            default="",
            description="ARNs or account ids outside this account whose agents may send; or empty",
        )
        self.agent_principals = principals.value_as_list
        self.has_agent_principals = self._given(
            "HasAgentPrincipals", Fn.join("", self.agent_principals)
        )
        reserved = CfnParameter(
            scope,
            "ReservedConcurrency",
            type="Number",
            default=0,
            min_value=0,
            description="Concurrency reserved for each function of the page path; 0: none",
        )
        # Not on by default: an account with a low quota refuses to reserve anything.
        reserves = CfnCondition(
            scope,
            "ReservesConcurrency",
            expression=Fn.condition_not(Fn.condition_equals(reserved.value_as_string, "0")),
        )
        self.reserved_concurrency = Token.as_number(
            Fn.condition_if(
                reserves.logical_id, reserved.value_as_number, Fn.ref("AWS::NoValue")
            ).to_string()
        )
        emulator = self._text(
            "Emulator", "no", "yes leaves out what a local emulator lacks", ["no", "yes"]
        )
        self.on_aws = CfnCondition(
            scope, "OnAws", expression=Fn.condition_equals(emulator.value_as_string, "no")
        )

        self.by_token = CfnCondition(
            scope,
            "IngestByToken",
            expression=Fn.condition_equals(self.text("IngestAuth"), "TOKEN"),
        )

    def text(self, name: str) -> str:
        """Return the value of a parameter that holds text."""
        return self._texts[name].value_as_string

    def _text(
        self, name: str, default: str, description: str, allowed: list[str] | None = None
    ) -> CfnParameter:
        return CfnParameter(
            self._scope, name, default=default, description=description, allowed_values=allowed
        )

    def _given(self, name: str, value: str) -> CfnCondition:
        return CfnCondition(
            self._scope, name, expression=Fn.condition_not(Fn.condition_equals(value, ""))
        )
