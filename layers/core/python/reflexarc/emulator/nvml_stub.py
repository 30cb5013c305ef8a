"""Builds `samples/nvml-stub`, a libnvidia-ml.so.1 without a GPU, and writes what it plays."""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reflexarc.emulator.errors import LaneUnavailable

SOURCES = Path("samples", "nvml-stub")
LIBRARY = "libnvidia-ml.so.1"
# The variable that names the scenario's file, samples/nvml-stub/scenario.c.
VARIABLE = "REFLEXARC_NVML_STUB"
_FLAGS = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")

# A calm H100 as NVML tells it: margins to T.Limit, thresholds of the card (SXM5, 80 GB HBM3).
H100: Mapping[str, str] = {
    "temp": "0:45",
    "margin": "0:42",
    "memtemp": "0:52",
    "slowdown": "0:89",
    "memmax": "0:95",
    "shutdown_tlimit": "0:-8",
    "slowdown_tlimit": "0:-2",
    "memmax_tlimit": "0:0",
    "gpumax_tlimit": "0:0",
    "reasons": "0:0x1",
    "power": "0:120",
    "limit": "0:700",
    "sm": "0:1980",
    "mclk": "0:2619",
    "util": "0:0",
    "memutil": "0:0",
    "used": "0:1024",
    "total": "0:81559",
    "width": "0:16",
    "width_max": "0:16",
    "mig": "0:0",
    "events": "0:0xC18F",
    "links": "0:18",
    **dict.fromkeys(("sbe_vol", "dbe_vol", "sbe_agg", "dbe_agg", "replays", "recovery"), "0:0"),
    **dict.fromkeys(("remap_cor", "remap_unc", "remap_pending", "remap_failure"), "0:0"),
    **dict.fromkeys(("nvlink_flit", "nvlink_data", "nvlink_replay", "nvlink_recovery"), "0:0"),
}


def build(folder: Path, sources: Path = SOURCES) -> Path:
    """Return the library, compiled into a folder named by its source; raises LaneUnavailable."""
    files = sorted(sources.glob("*.[ch]"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    library = folder / digest / LIBRARY
    if library.exists():
        return library
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not files:
        raise LaneUnavailable(
            f"the NVML stub needs a C compiler (gcc) and the sources in {sources}"
        )
    library.parent.mkdir(parents=True, exist_ok=True)
    new = library.with_suffix(f".{time.monotonic_ns()}")
    units = [str(file) for file in files if file.suffix == ".c"]
    done = subprocess.run(  # noqa: S603 - our own sources
        [compiler, *_FLAGS, f"-Wl,-soname,{LIBRARY}", "-o", str(new), *units, "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LaneUnavailable(f"the NVML stub does not compile: {done.stderr[:500]}")
    new.replace(library)
    return library


@dataclass
class NvmlScenario:
    """A scenario's file. Second 0 is when this was made; `write` replaces the file at once.

    Only append events: the library counts those that it has delivered.
    """

    path: Path
    driver: str = "595.45.04"
    start: float = field(default_factory=time.time)
    lines: list[str] = field(default_factory=list)
    gpus: int = 0

    def now(self) -> float:
        """Return the second that it is in the scenario."""
        return time.time() - self.start

    def gpu(
        self,
        pci: str,
        uuid: str = "-",
        name: str = "NVIDIA H100 80GB HBM3",
        values: Mapping[str, str] = H100,
    ) -> int:
        """Add a GPU; return the number by which further lines name it."""
        number, self.gpus = self.gpus, self.gpus + 1
        self.lines.append(f"gpu {pci} {uuid} {name}")
        self.lines += [f"hold {number} {key} {points}" for key, points in values.items()]
        return number

    def add(self, *lines: str) -> None:
        """Add lines as samples/nvml-stub/README.md spells them, and write the file."""
        self.lines += lines
        self.write()

    def write(self) -> None:
        """Replace the file."""
        new = self.path.with_suffix(".new")
        head = [f"start {self.start:.6f}", f"driver {self.driver}"]
        new.write_text("\n".join([*head, *self.lines]) + "\n")
        new.replace(self.path)

    def environment(self, library: Path) -> dict[str, str]:
        """Return what a process needs in its environment to find library and scenario."""
        return {"LD_LIBRARY_PATH": str(library.parent), VARIABLE: str(self.path)}
