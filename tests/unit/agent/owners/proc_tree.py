"""A /proc of our own, with the files of a process as the kernel writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class ProcTree:
    root: Path
    starts: dict[int, int] = field(default_factory=dict)

    def add(
        self,
        pid: int,
        *,
        comm: str = "python3",
        cgroup: str = "0::/user.slice",
        uid: int = 1000,
        start: int = 7,
        environ: Mapping[str, str] | None = None,
        **variables: str,
    ) -> Path:
        folder = self.root / str(pid)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "comm").write_text(comm + "\n")
        (folder / "cgroup").write_text(cgroup + "\n")
        (folder / "status").write_text(f"Name:\t{comm}\nUid:\t0\t{uid}\t0\t0\nGid:\t0\t0\t0\t0\n")
        numbers = " ".join(["0"] * 18)
        (folder / "stat").write_text(f"{pid} (a) b) S {numbers} {start} 0 0\n")
        (folder / "environ").write_bytes(
            b"".join(f"{k}={v}\0".encode() for k, v in {**(environ or {}), **variables}.items())
        )
        return folder
