"""What a cold start of gpu_alert imports: CPU of our import and clients beside the bare libraries'.

Each trial is a fresh interpreter that reports its own CPU time (user + system) after the work; the
two sides alternate, so a shared machine's noise falls on both. Medians are compared.
"""

import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.rows import Row
from tests.functions.environment import GPU_ALERT

ROOT = Path(__file__).parents[2]
TRIALS = 11
REPORT = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print((used.ru_utime + used.ru_stime) * 1000)
"""
OURS = """
import functions.gpu_alert.handler
from reflexarc.runtime.wiring import fault_service
fault_service()
"""
# Exactly what the function cannot do without: its two clients, one pydantic model, the parts of
# Powertools that it uses.
PEER = """
import boto3
boto3.client("dynamodb"); boto3.client("sqs")
from pydantic import BaseModel
class Model(BaseModel):
    field: int
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics
Logger(); Metrics(namespace="reflexarc")
"""


def cpu_ms(program: str) -> float:
    """Return the CPU milliseconds that a fresh interpreter spends on a program."""
    path = f"{ROOT}:{ROOT / 'layers/core/python'}"
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program + REPORT],
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", **GPU_ALERT},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def run() -> Iterator[Row]:
    """Measure the import of gpu_alert beside the bare libraries, and beside a bare interpreter."""
    cpu_ms(OURS)  # writes the .pyc files, as a deployed layer has them
    cpu_ms(PEER)
    pairs = [(cpu_ms(OURS), cpu_ms(PEER)) for _ in range(TRIALS)]
    ours = statistics.median(pair[0] for pair in pairs)
    peer = statistics.median(pair[1] for pair in pairs)
    yield Row(
        "import", "gpu_alert_cpu", "ms", ours, peer, "boto3 + 2 clients + pydantic + powertools"
    )
    bare = statistics.median(cpu_ms("pass") for _ in range(TRIALS))
    yield Row("import", "bare_interpreter_cpu", "ms", bare)
