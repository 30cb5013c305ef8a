"""The payloads that the benchmarks of telemetry share: those of ../shared/tools/otlp_bench."""

import os
import tempfile
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

SHARED = Path(
    os.environ.get(  # noqa: TID251 - where cases lie
        "REFLEXARC_CASES", Path(__file__).parents[3] / "shared" / "data"
    )
).parent
GENERATOR = SHARED / "tools" / "otlp_bench" / "gen.py"


@cache
def payloads() -> dict[str, bytes]:
    """Return the generated export requests by name, without the ending `.pb`.

    The generator writes beside itself, so its text is run as if it lay in a folder of its own.
    """
    if not GENERATOR.exists():
        raise SystemExit(f"this benchmark needs {GENERATOR}, which is not here")
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nothing:
        name = str(Path(folder) / GENERATOR.name)
        program = compile(GENERATOR.read_text(encoding="utf-8"), name, "exec")
        with redirect_stdout(nothing):
            exec(program, {"__name__": "__main__", "__file__": name})  # noqa: S102 - our own tool
        made = Path(folder) / "payloads"
        return {path.stem: path.read_bytes() for path in made.glob("*.pb")}
