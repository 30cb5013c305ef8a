import pytest

from infra import catalog, kinds
from infra.kinds import Function
from infra.paths import ROOT
from reflexarc.runtime.settings import (
    GpuAlertSettings,
    GpuReadingSettings,
    IncidentSettings,
    IngestSettings,
    NotifySettings,
    Settings,
    SlackActionSettings,
    TelemetryRulesSettings,
    WatchdogSettings,
)
from tests.infra.deployed import name_of, properties, resources

SETTINGS: dict[str, type[Settings]] = {
    "gpu_alert": GpuAlertSettings,
    "gpu_reading": GpuReadingSettings,
    "incident": IncidentSettings,
    "ingest": IngestSettings,
    "notify": NotifySettings,
    "slack_action": SlackActionSettings,
    "telemetry_rules": TelemetryRulesSettings,
    "watchdog": WatchdogSettings,
}
# Read by libraries, not by the functions' settings.
OF_LIBRARIES = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL", "PYDANTIC_DISABLE_PLUGINS"}

every_function = pytest.mark.parametrize("function", catalog.FUNCTIONS, ids=lambda f: f.name)


def test_every_function_folder_is_in_the_catalogue_and_the_other_way_round() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}

    assert folders == {function.name for function in catalog.FUNCTIONS} == set(SETTINGS)


def test_no_function_is_deployed_that_the_catalogue_does_not_list() -> None:
    listed = {f"{function.title}Function" for function in catalog.FUNCTIONS}

    assert set(resources("AWS::Lambda::Function")) == listed


@every_function
def test_the_environment_is_exactly_what_the_function_reads(function: Function) -> None:
    deployed = properties(f"{function.title}Function")["Environment"]["Variables"]

    read = {name.upper() for name in SETTINGS[function.name].model_fields}

    assert set(function.environment) == read
    assert set(deployed) == read | OF_LIBRARIES


@every_function
def test_a_function_is_deployed_as_the_catalogue_says(function: Function) -> None:
    deployed = properties(f"{function.title}Function")

    assert deployed["Code"] == f"../functions/{function.name}"
    assert deployed["Handler"] == "handler.handler"
    assert deployed["Timeout"] == function.timeout_s
    assert deployed["MemorySize"] == function.memory_mb
    assert name_of(deployed["FunctionName"]) == f"-{function.deployed_name}"


@every_function
def test_functions_run_python_3_13_on_arm(function: Function) -> None:
    deployed = properties(f"{function.title}Function")

    assert deployed["Runtime"] == "python3.13"
    assert deployed["Architectures"] == ["arm64"]


@every_function
def test_only_functions_that_read_otlp_carry_what_reads_it(function: Function) -> None:
    layers = [layer["Ref"] for layer in properties(f"{function.title}Function")["Layers"]]

    folders = [properties(layer)["Content"] for layer in layers]

    otlp = ["../build/otlp"] if function.name in {"ingest", "telemetry_rules"} else []
    assert folders == ["../build/core", "../build/deps", *otlp]


@every_function
def test_logs_go_to_a_group_of_limited_retention(function: Function) -> None:
    group = properties(f"{function.title}Function")["LoggingConfig"]["LogGroup"]["Ref"]

    assert properties(group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@every_function
def test_no_secret_is_in_the_environment(function: Function) -> None:
    deployed = properties(f"{function.title}Function")["Environment"]["Variables"]

    words = ("TOKEN", "PASSWORD", "ROUTING_KEY", "WEBHOOK")

    # Where a secret is kept is no secret.
    named = [name for name in deployed if not name.endswith("_SECRET_ARN")]
    assert not [name for name in named if any(word in name for word in words)]
    assert "resolve:secretsmanager" not in str(deployed)


def test_reserved_concurrency_is_asked_for_only_when_a_parameter_says_so() -> None:
    reserved = {
        logical_id: function["Properties"].get("ReservedConcurrentExecutions")
        for logical_id, function in resources("AWS::Lambda::Function").items()
    }

    optional = {
        "Fn::If": [
            "ReservesConcurrency",
            {"Ref": "ReservedConcurrency"},
            {"Ref": "AWS::NoValue"},
        ]
    }
    assert reserved == {
        f"{function.title}Function": optional if function.on_page_path else None
        for function in catalog.FUNCTIONS
    }


def test_the_watchdog_ticks_every_minute_and_is_never_run_twice_for_a_tick() -> None:
    rule = properties("WatchdogEveryMinute")
    invocation = properties("WatchdogFunctionEventInvokeConfig")

    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert rule["State"] == "ENABLED"
    assert invocation["MaximumRetryAttempts"] == 0
    assert properties("WatchdogFunction")["Timeout"] < kinds.MINUTE
