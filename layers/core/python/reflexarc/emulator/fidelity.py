"""Puts real Lambda sandboxes in the place of the emulator's workers, for a while."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from reflexarc.emulator import bridge
from reflexarc.emulator.bridge import Bridge
from reflexarc.emulator.cpu_share import cpu_share
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.sandbox import Deployed, Sandbox, fetch, runtime_folder


@contextmanager
def bridged(
    lane: Lane, functions: Sequence[str], *, limit_cpu: bool = False
) -> Iterator[dict[str, Bridge]]:
    """Run these functions under awslambdaric; with `limit_cpu` at their memory's CPU share."""
    runtime = runtime_folder(lane.processes.folder("runtime"))
    with ExitStack() as stack:
        bridges = {}
        for function in functions:
            name = lane.stack.function(function)
            deployed = fetch(lane.endpoint, name, lane.processes.folder(function))
            made = Bridge(_maker(lane, deployed, runtime, limit_cpu=limit_cpu))
            stack.callback(made.close)
            bridge.attach(lane.endpoint, name, made.url)
            stack.callback(bridge.detach, lane.endpoint, name)
            bridges[function] = made
        yield bridges


def _maker(
    lane: Lane, deployed: Deployed, runtime: Path, *, limit_cpu: bool
) -> Callable[[], Sandbox]:
    def make() -> Sandbox:
        share = cpu_share(lane.processes, deployed.memory_mb) if limit_cpu else None
        return Sandbox(lane.processes, deployed, runtime, lane.endpoint.environment(), share)

    return make
