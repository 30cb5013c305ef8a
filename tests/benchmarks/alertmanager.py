"""The peer of bench_page: Prometheus and Alertmanager at their fastest sensible settings."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reflexarc.emulator.processes import Child, Processes, free_port

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT.parent / "shared" / "tools" / "alertmanager_baseline" / "run_baseline.py"
PROGRAMS = ("prometheus", "prometheus-alertmanager")
VENV = ROOT / "build" / "baseline-venv"
NAME = "prometheus 1s/1s + alertmanager group_wait 0s"
# The script adds fixed offsets up to 500 to its base port.
HIGHEST_BASE = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A baseline that runs beside us."""

    child: Child
    result: Path

    def latencies(self, timeout_s: float) -> dict[str, dict[str, float]]:
        """Wait for the end; return p50, p95 and max in seconds for `slack` and `pd`."""
        self.child.process.wait(timeout_s)
        if not self.result.exists():
            raise RuntimeError(f"the baseline failed: {self.child.tail()}")
        result: dict[str, Any] = json.loads(self.result.read_text())
        return {name: result[name] for name in ("slack", "pd")}


def why_not() -> str | None:
    """Return why the peer cannot run here, None if it can."""
    if not SCRIPT.exists():
        return f"{SCRIPT} is absent"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return (
            f"{' and '.join(missing)} not installed: apt-get install -y --no-install-recommends "
            "prometheus prometheus-alertmanager (with a policy-rc.d that starts no service)"
        )
    return None


def start(processes: Processes, trials: int) -> Peer:
    """Start mode `b` of the baseline: a live page, scrape 1 s, evaluate 1 s, no group wait."""
    folder = processes.folder("baseline")
    result = folder / "result.json"
    base = min(free_port(), HIGHEST_BASE)
    child = processes.start(
        "alertmanager-baseline",
        [python(), SCRIPT, "b", "--n", str(trials), "--base", str(base), "--out", result],
        cwd=folder,
    )
    return Peer(child=child, result=result)


def python() -> Path:
    """Return the interpreter of the baseline's own environment, made where it is missing."""
    made = VENV / "bin" / "python"
    if not made.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)  # noqa: S603 - our words
        subprocess.run(  # noqa: S603 - our words
            [made, "-m", "pip", "install", "--quiet", "aiohttp"], check=True
        )
    return made
