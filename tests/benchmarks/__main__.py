"""Run the named benchmarks, or all of them; print JSON lines and keep them in build/bench."""

import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / "build" / "bench"


def main(names: list[str]) -> None:
    """Run each benchmark in turn and write its rows as they come."""
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    if unknown := sorted(set(names) - set(known)):
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(known)}")
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in names or known:
        run = importlib.import_module(f"tests.benchmarks.bench_{name}").run
        with (KEPT / f"{name}.jsonl").open("w") as kept:
            for row in run():
                line = json.dumps(row.as_json())
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
                kept.write(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
