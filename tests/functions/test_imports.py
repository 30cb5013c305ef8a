"""Handlers import with an empty environment, and the page path imports only what it uses."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.functions.environment import GPU_ALERT

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
# Whole packages that gpu_alert must never load: other functions' work, and people's tools.
FORBIDDEN = {
    "aws_xray_sdk",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.parser",
    "boto3",
    "jsonschema",
    "openai",
    "pynvml",
    "reflexarc.actions",
    "reflexarc.adapters.dcgm",
    "reflexarc.adapters.dynamodb.fleet",
    "reflexarc.adapters.dynamodb.outbox",
    "reflexarc.adapters.http",
    "reflexarc.adapters.kubelet",
    "reflexarc.adapters.memory",
    "reflexarc.adapters.nvml",
    "reflexarc.adapters.pagerduty",
    "reflexarc.adapters.secrets",
    "reflexarc.adapters.slack",
    "reflexarc.adapters.sns",
    "reflexarc.adapters.webhook",
    "reflexarc.agent",
    "reflexarc.cli",
    "reflexarc.emulator",
    "reflexarc.gpu.fleet_service",
    "reflexarc.gpu.readings",
    "reflexarc.gpu.silence_service",
    "reflexarc.incidents.acts",
    "reflexarc.incidents.push_checks",
    "reflexarc.incidents.silencing",
    "reflexarc.incidents.steps",
    "reflexarc.incidents.tracing",
    "reflexarc.ingest",
    "reflexarc.notify",
    "reflexarc.runtime.operator",
    "reflexarc.runtime.watchdog",
    "requests",
    "rich",
    "typer",
    "yaml",
}


def run(program: str, environment: dict[str, str]) -> str:
    path = f"{ROOT}:{ROOT / 'layers/core/python'}"
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program],
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))
)
def test_a_handler_imports_without_any_environment(name: str) -> None:
    assert run(f"from functions.{name}.handler import handler; print(callable(handler))", {}) == (
        "True\n"
    )


def test_the_page_path_loads_nothing_that_it_does_not_use() -> None:
    program = """
import functions.gpu_alert.handler, sys
from reflexarc.runtime.wiring import fault_service
fault_service()
print("\\n".join(sys.modules))
"""
    loaded = set(run(program, GPU_ALERT).split())

    assert "reflexarc.gpu.service" in loaded
    assert loaded & FORBIDDEN == set()
