"""Build the Lambda layers from the lock: for Lambda, for this machine, and reflexarc itself.

`python -m infra.layers --uv PATH` writes

    build/core         reflexarc, less what only nodes and laptops run
    build/deps         the lock's `functions` group for Lambda: manylinux aarch64, CPython 3.13
    build/otlp         the lock's `otlp` group for Lambda: what reads OTLP, for few functions
    build/*-local      the same two for this interpreter: emulators ignore a function's Runtime

Nothing happens when nothing changed.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.paths import BUILD, ROOT

PACKAGE = ROOT / "layers" / "core" / "python" / "reflexarc"
LAMBDA_PYTHON = "3.13"
LAMBDA_PLATFORM = "aarch64-manylinux_2_28"
# Lambda's limit on a function and its layers, unzipped.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNZIPPED_MAX = 250 * 1024 * 1024
NOT_IN_LAMBDA = frozenset({"agent", "cli", "emulator"})
# botocore carries the models of 400 services (25 MB); these are the ones whose clients we make,
# and STS, which credentials may need.
AWS_MODELS = frozenset({"dynamodb", "s3", "secretsmanager", "sns", "sqs", "sts"})
# Folder in BUILD: the lock's group that it holds.
GROUPS = {"deps": "functions", "otlp": "otlp"}
# For type checkers, compilers, and whoever prefers another backend than C.
_UNREAD = ("*.pyi", "*.a", "*.h", "*.pxd", "*.pyx", "_cffi.*.so")
_LEGAL = ("LICEN", "NOTICE", "COPYING", "AUTHORS")


def main(arguments: list[str] | None = None) -> None:
    """Build what is out of date and print the sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uv", default=shutil.which("uv"), help="the uv program to build with")
    uv = parser.parse_args(arguments).uv
    if uv is None:
        parser.error("uv is not on the PATH: use --uv, or `make layers`")
    lambda_python = _find_python(uv)
    here = ["--python", sys.executable]
    changed = {"core": _build_core(lambda_python)}
    for name, group in GROUPS.items():
        wanted = _requirements(uv, group)
        changed[name] = _build_deps(uv, name, wanted, _for_lambda(), lambda_python)
        changed[f"{name}-local"] = _build_deps(uv, f"{name}-local", wanted, here, sys.executable)
    if any(changed.values()):
        for folder in changed:
            sys.stdout.write(f"build/{folder}: {_megabytes(BUILD / folder):.1f} MB\n")
        if lambda_python is None:
            sys.stdout.write(
                f"no Python {LAMBDA_PYTHON} here: the layers carry no bytecode for Lambda, and"
                " each cold start compiles them; before a real deploy:"
                f" {uv} python install {LAMBDA_PYTHON}\n"
            )


def unzipped_size(folders: Iterable[Path]) -> int:
    """Return the bytes that Lambda counts against its limit."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def _megabytes(folder: Path) -> float:
    return unzipped_size([folder]) / 1_000_000


def _for_lambda() -> list[str]:
    return ["--python-platform", LAMBDA_PLATFORM, "--python-version", LAMBDA_PYTHON]


def _find_python(uv: str) -> str | None:
    """Return an installed CPython that writes Lambda's bytecode; never download one."""
    command = [uv, "python", "find", "--no-project", "--no-python-downloads", LAMBDA_PYTHON]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 - our own arguments
    if found.returncode == 0:
        return found.stdout.strip()
    # uv gives up at pyenv's shims, which fail for every version that is not switched on.
    pattern = f".pyenv/versions/{LAMBDA_PYTHON}.*/bin/python{LAMBDA_PYTHON}"
    return next((str(python) for python in sorted(Path.home().glob(pattern))), None)


def _requirements(uv: str, group: str) -> str:
    command = [uv, "export", "--frozen", "--quiet", "--no-default-groups", "--only-group"]
    command += [group, "--no-hashes", "--no-annotate", "--no-header"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout  # noqa: S603 - our own arguments


def _build_core(lambda_python: str | None) -> bool:
    sources = sorted(path for path in PACKAGE.rglob("*") if path.is_file() and _deployed(path))
    contents = [f"{path.relative_to(PACKAGE)}".encode() + path.read_bytes() for path in sources]
    stamp = _Stamp("core", *contents, lambda_python or "", sys.version)
    if stamp.holds():
        return False
    with stamp.rebuilding() as target:
        for source in sources:
            copy = target / "python" / "reflexarc" / source.relative_to(PACKAGE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        # One layer for both: each interpreter reads its own kind of bytecode.
        _compile(target, sys.executable)
        if lambda_python is not None:
            _compile(target, lambda_python)
    return True


def _deployed(path: Path) -> bool:
    parts = path.relative_to(PACKAGE).parts
    return "__pycache__" not in parts and parts[0] not in NOT_IN_LAMBDA


def _build_deps(
    uv: str, name: str, requirements: str, where: list[str], compiler: str | None
) -> bool:
    stamp = _Stamp(name, requirements, *where, compiler or "", sys.version)
    if stamp.holds():
        return False
    with stamp.rebuilding() as target:
        packages = target / "python"
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--target", str(packages), *where, "--requirements", "-"]
        subprocess.run(command, input=requirements, text=True, check=True, cwd=ROOT)  # noqa: S603 - our own arguments
        _strip(packages, target / "licenses")
        if compiler is not None:
            _compile(target, compiler)
    return True


def _strip(packages: Path, licenses: Path) -> None:
    """Remove what no function reads; keep every licence."""
    for metadata in packages.glob("*.dist-info"):
        _keep_legal_texts(metadata, licenses / metadata.name.removesuffix(".dist-info"))
        shutil.rmtree(metadata)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    (packages / ".lock").unlink(missing_ok=True)
    for folder in [*packages.rglob("__pycache__"), *packages.rglob("tests")]:
        shutil.rmtree(folder, ignore_errors=True)
    for service in (packages / "botocore" / "data").glob("*/"):
        if service.name not in AWS_MODELS:
            shutil.rmtree(service)
    for unread in (file for name in _UNREAD for file in packages.rglob(name)):
        unread.unlink()


def _keep_legal_texts(metadata: Path, target: Path) -> None:
    for text in metadata.rglob("*"):
        if text.is_file() and text.name.upper().startswith(_LEGAL):
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(text, target / text.name)


def _compile(folder: Path, interpreter: str) -> None:
    """Write bytecode that depends on the source alone, and is never checked against it.

    A layer is read-only in Lambda: without this, every cold start compiles it again.
    """
    mode = ["--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/opt"]
    command = [interpreter, "-m", "compileall", "-q", *mode, str(folder / "python")]
    # The interpreter starts bare, so that nothing of this project's environment reaches it.
    environment = {"PATH": os.defpath}
    subprocess.run(command, check=True, cwd=folder, env=environment)  # noqa: S603 - our own arguments


class _Stamp:
    """What a folder was built from; kept beside the folder, for all within it is deployed."""

    def __init__(self, name: str, *inputs: str | bytes) -> None:
        digest = hashlib.sha256(Path(__file__).read_bytes())
        for value in inputs:
            digest.update(value.encode() if isinstance(value, str) else value)
            digest.update(b"\0")
        self._digest = digest.hexdigest()
        self._folder = BUILD / name
        self._path = BUILD / f"{name}.stamp"

    def holds(self) -> bool:
        """Return whether the folder stands as these inputs would build it."""
        built = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        return self._folder.is_dir() and built == self._digest

    @contextmanager
    def rebuilding(self) -> Iterator[Path]:
        """Hand out an empty folder that takes the old one's place when it is done."""
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            fresh = Path(scratch) / "new"
            fresh.mkdir()
            yield fresh
            self._path.unlink(missing_ok=True)
            if self._folder.exists():
                self._folder.rename(Path(scratch) / "old")
            fresh.rename(self._folder)
        self._path.write_text(self._digest, encoding="utf-8")


if __name__ == "__main__":
    main()
