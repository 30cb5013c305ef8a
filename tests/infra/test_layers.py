"""What `make layers` built is what Lambda can run; needs no network and no emulator."""

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from infra import catalog, kinds
from infra.layers import AWS_MODELS, GROUPS, NOT_IN_LAMBDA, UNZIPPED_MAX, unzipped_size
from infra.paths import BUILD, ROOT

ELF_MAGIC = b"\x7fELF"
# https://www.sco.com/developers/gabi/latest/ch4.eheader.html
EM_AARCH64 = 183
MACHINE_OFFSET = 18
LAMBDA_SUFFIXES = (".cpython-313-aarch64-linux-gnu.so", ".abi3.so")

# What numpy brings of its own has no suffix of CPython's.
BUNDLED = "numpy.libs"

pytestmark = pytest.mark.skipif(
    not all((BUILD / f"{name}.stamp").exists() for name in GROUPS),
    reason="the layers are not built: run `make layers`",
)
every_layer = pytest.mark.parametrize("layer", sorted(GROUPS))


def machine_of(library: Path) -> int:
    header = library.read_bytes()[: MACHINE_OFFSET + 2]
    assert header[:4] == ELF_MAGIC
    (machine,) = struct.unpack_from("<H", header, MACHINE_OFFSET)
    return int(machine)


@every_layer
def test_every_library_for_lambda_is_aarch64_and_cp313(layer: str) -> None:
    libraries = sorted((BUILD / layer).rglob("*.so*"))

    assert libraries, "each layer has a compiled part"
    for library in libraries:
        assert machine_of(library) == EM_AARCH64, library
        assert library.parent.name == BUNDLED or library.name.endswith(LAMBDA_SUFFIXES), library


@every_layer
def test_bytecode_for_lambda_is_of_its_python_only(layer: str) -> None:
    kinds = {path.suffixes[-2] for path in (BUILD / layer).rglob("*.pyc")}

    assert kinds <= {".cpython-313"}


@pytest.mark.parametrize("function", catalog.FUNCTIONS, ids=lambda f: f.name)
def test_a_function_with_its_layers_fits_into_lambda(function: kinds.Function) -> None:
    layers = ["core", "deps", *(["otlp"] if function.reads_otlp else [])]
    folders = [*(BUILD / layer for layer in layers), ROOT / "functions" / function.name]

    size = unzipped_size(folders)

    sys.stdout.write(f"{function.name}: {size / 1_000_000:.1f} MB unzipped, limit 262 MB\n")
    assert size < UNZIPPED_MAX


def test_the_core_layer_leaves_out_what_only_nodes_and_laptops_run() -> None:
    package = BUILD / "core" / "python" / "reflexarc"

    assert (package / "kernel" / "errors.py").is_file()
    assert [name for name in NOT_IN_LAMBDA if (package / name).exists()] == []


def test_every_package_in_the_layer_keeps_its_licence() -> None:
    for name, packages in (("deps", 10), ("otlp", 6)):
        for folder in (name, f"{name}-local"):
            licensed = {path.parent.name for path in (BUILD / folder / "licenses").rglob("LICEN*")}
            assert len(licensed) >= packages, folder


def test_the_layer_keeps_the_models_of_exactly_the_services_that_functions_call() -> None:
    source = (ROOT / "layers/core/python/reflexarc/runtime/clients.py").read_text()

    assert set(re.findall(r'_client\("([a-z0-9]+)"', source)) | {"sts"} == AWS_MODELS


def test_the_layer_makes_every_client_that_the_functions_use() -> None:
    clients = "; ".join(f"s.create_client({name!r}, 'us-east-1')" for name in sorted(AWS_MODELS))
    program = f"import botocore.session as b; s = b.get_session(); {clients}; import pydantic"
    program += "; import aws_lambda_powertools.logging, aws_lambda_powertools.metrics"

    program = f"import sys; sys.path.insert(0, sys.argv[1]); {program}"
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own program
        [sys.executable, "-I", "-S", "-c", program, str(BUILD / "deps-local" / "python")],
        capture_output=True,
        text=True,
        check=False,
        env={"AWS_EC2_METADATA_DISABLED": "true"},
    )

    assert done.returncode == 0, done.stderr


def test_the_otlp_layer_holds_what_reads_otlp() -> None:
    program = "import re2, zstandard, ahocorasick_rs, google.protobuf.message, datasketches"
    program += "; import opentelemetry.proto.trace.v1.trace_pb2; zstandard.ZstdCompressor()"

    done = subprocess.run(  # noqa: S603 - our own interpreter, our own program
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = sys.argv[1:]; {program}"]
        + [str(BUILD / folder / "python") for folder in ("deps-local", "otlp-local")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@every_layer
def test_an_editable_checkout_is_not_what_the_functions_import(layer: str) -> None:
    assert not list((BUILD / layer).rglob("*.pth"))
