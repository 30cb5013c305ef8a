"""Finds a deployed stack for the commands of telemetry's rules."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reflexarc.cli.stack import readable_errors

if TYPE_CHECKING:
    from reflexarc.runtime.telemetry_operator import TelemetryDeployment


@contextmanager
def telemetry_of(stack: str, endpoint: str | None) -> Iterator["TelemetryDeployment"]:
    """Open a deployed stack; what goes wrong inside ends the command with one readable line."""
    from reflexarc.runtime.telemetry_operator import find  # noqa: PLC0415 - boto3: half a second

    with readable_errors():
        yield find(stack, endpoint)
