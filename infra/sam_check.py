"""Prove that the SAM CLI takes infra/template.yaml: it validates, and it deploys to the emulator.

`python -m infra.sam_check`. Stops whatever it started. The functions are not run here: they carry
Lambda's wheels, not this machine's.
"""

import subprocess
import sys
from pathlib import Path

from infra.paths import ROOT, TEMPLATE
from reflexarc.emulator import ministack
from reflexarc.emulator.deployment import read_template
from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.processes import BASE_ENVIRONMENT, Processes

STACK_NAME = "reflexarc-sam"
_SAM = ROOT / ".venv-sam" / "bin" / "sam"
_DEPLOY = (
    "deploy", "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-progressbar",
    "--parameter-overrides", "Emulator=yes", "--stack-name", STACK_NAME,
)  # fmt: skip


def main() -> int:
    """Validate, deploy, compare the outputs; the exit status says whether all held."""
    with Processes() as processes:
        home = processes.folder("sam")
        environment = {**BASE_ENVIRONMENT, "HOME": str(home), "SAM_CLI_TELEMETRY": "0"}
        emulator = ministack.start(processes, ROOT)
        environment |= emulator.endpoint.environment()
        for arguments in (("validate", "--lint"), _DEPLOY):
            if not _sam(arguments, environment):
                return 1
        missing = _expected_outputs(TEMPLATE) - _outputs(emulator.endpoint)
    sys.stdout.write(f"outputs: {'missing ' + ', '.join(missing) if missing else 'ok'}\n")
    return 1 if missing else 0


def _sam(arguments: tuple[str, ...], environment: dict[str, str]) -> bool:
    command = [str(_SAM), *arguments, "--template-file", str(TEMPLATE)]
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.stdout.write(f"sam {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return False
    sys.stdout.write(f"sam {arguments[0]}: ok\n")
    return True


def _expected_outputs(template: Path) -> set[str]:
    return set(read_template(template)["Outputs"])


def _outputs(endpoint: Endpoint) -> set[str]:
    stacks = endpoint.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"] for output in stacks[0]["Outputs"]}


if __name__ == "__main__":
    sys.exit(main())
