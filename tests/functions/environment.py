"""The environment that each function is deployed with, for tests outside AWS."""

_AWS = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
    "POWERTOOLS_METRICS_DISABLED": "true",
}
_QUEUES = "https://sqs.eu-west-1.amazonaws.com/123456789012/reflexarc"
_WAKING = {
    **_AWS,
    "INCIDENTS_TABLE": "incidents",
    "NOTIFY_SLACK_QUEUE_URL": f"{_QUEUES}-notify-slack.fifo",
    "NOTIFY_PAGERDUTY_QUEUE_URL": f"{_QUEUES}-notify-pagerduty.fifo",
    "NOTIFY_OTHERS_QUEUE_URL": f"{_QUEUES}-notify-others.fifo",
}
GPU_ALERT = {
    **_WAKING,
    "POWERTOOLS_SERVICE_NAME": "gpu_alert",
    "FLEET_TABLE": "fleet",
    "REJECTED_QUEUE_URL": f"{_QUEUES}-gpu-faults-dlq",
    "SIGNALS_QUEUE_URL": f"{_QUEUES}-signals",
    "SLACK_CHANNEL": "C0GPUALERTS",
}
INCIDENT = {
    **GPU_ALERT,
    "POWERTOOLS_SERVICE_NAME": "incident",
    "REJECTED_QUEUE_URL": f"{_QUEUES}-signals-dlq",
    "SLACK_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf",
}
GPU_READING = {
    **_AWS,
    "POWERTOOLS_SERVICE_NAME": "gpu_reading",
    "INCIDENTS_TABLE": "incidents",
    "FLEET_TABLE": "fleet",
    "REJECTED_QUEUE_URL": f"{_QUEUES}-gpu-readings-dlq",
    "SIGNALS_QUEUE_URL": f"{_QUEUES}-signals",
    "USAGE_RETENTION_DAYS": "90",
}
NOTIFY = {
    **_WAKING,
    "POWERTOOLS_SERVICE_NAME": "notify",
    "REJECTED_QUEUE_URL": f"{_QUEUES}-notify-dlq",
    "NOTIFY_LATER_QUEUE_URL": f"{_QUEUES}-notify-later",
    "SLACK_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf",
    "PAGERDUTY_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:pagerduty-AbCdEf",
    "WEBHOOK_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-AbCdEf",
    "ALERTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:reflexarc-alerts",
}
WATCHDOG = {
    **_WAKING,
    "POWERTOOLS_SERVICE_NAME": "watchdog",
    "FLEET_TABLE": "fleet",
    "GPU_FAULTS_QUEUE_URL": f"{_QUEUES}-gpu-faults",
    "SIGNALS_QUEUE_URL": f"{_QUEUES}-signals",
}
INGEST = {
    **_AWS,
    "POWERTOOLS_SERVICE_NAME": "ingest",
    "INCIDENTS_TABLE": "incidents",
    "GPU_FAULTS_QUEUE_URL": f"{_QUEUES}-gpu-faults",
    "GPU_READINGS_QUEUE_URL": f"{_QUEUES}-gpu-readings",
    "TELEMETRY_QUEUE_URL": f"{_QUEUES}-telemetry",
    "TELEMETRY_BUCKET": "telemetry",
    "INGEST_AUTH": "AWS_IAM",
}
SLACK_ACTION = {
    **_AWS,
    "POWERTOOLS_SERVICE_NAME": "slack_action",
    "INCIDENTS_TABLE": "incidents",
    "SIGNALS_QUEUE_URL": f"{_QUEUES}-signals",
    "SLACK_SECRET_ARN": NOTIFY["SLACK_SECRET_ARN"],
}
TELEMETRY_RULES = {
    **_AWS,
    "POWERTOOLS_SERVICE_NAME": "telemetry_rules",
    "INCIDENTS_TABLE": "incidents",
    "TELEMETRY_TABLE": "telemetry",
    "TELEMETRY_BUCKET": "telemetry",
    "REJECTED_QUEUE_URL": f"{_QUEUES}-telemetry-dlq",
    "FORWARD_QUEUE_URL": f"{_QUEUES}-telemetry-forward",
    "FORWARD_REJECTED_QUEUE_URL": f"{_QUEUES}-telemetry-forward-dlq",
    "GPU_FAULTS_QUEUE_URL": f"{_QUEUES}-gpu-faults",
    "GPU_READINGS_QUEUE_URL": f"{_QUEUES}-gpu-readings",
    "LLM_SPANS_QUEUE_URL": f"{_QUEUES}-llm-spans",
    "SERIES_QUEUE_URL": f"{_QUEUES}-series",
    "BACKENDS_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:telemetry-AbCdEf",
}
