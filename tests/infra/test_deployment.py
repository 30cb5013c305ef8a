"""The deployer: archives that depend on contents alone, and stacks on the embedded emulator."""

import io
import os
import py_compile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from infra.paths import BUILD, ROOT, TEMPLATE
from reflexarc.emulator import ministack, stack
from reflexarc.emulator.deployment import deploy, read_template, zip_folder
from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.processes import Processes
from reflexarc.kernel.errors import Rejected

LOCAL = stack.THIS_MACHINE


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def names(archive: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_equal_contents_give_equal_archives_whenever_and_wherever_they_were_written(
    tmp_path: Path,
) -> None:
    files = {"b.py": "b = 1\n", "package/a.py": "a = 1\n"}
    one = written(tmp_path / "one", files)
    other = written(tmp_path / "other", dict(reversed(files.items())))
    os.utime(other / "b.py", (0, 0))
    (other / "b.py").chmod(0o600)

    assert zip_folder(one) == zip_folder(other)


def test_any_change_of_a_content_changes_the_archive(tmp_path: Path) -> None:
    folder = written(tmp_path / "folder", {"a.py": "a = 1\n"})
    before = zip_folder(folder)

    written(folder, {"a.py": "a = 2\n"})

    assert zip_folder(folder) != before


def test_only_bytecode_that_was_compiled_to_be_shipped_is_packed(tmp_path: Path) -> None:
    folder = written(tmp_path / "folder", {"shipped.py": "a = 1\n", "left.py": "b = 1\n"})
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(folder / "shipped.py"), invalidation_mode=unchecked)
    timed = py_compile.PycInvalidationMode.TIMESTAMP
    py_compile.compile(str(folder / "left.py"), invalidation_mode=timed)

    packed = names(zip_folder(folder))

    assert [name.split(".")[0] for name in packed if name.endswith(".pyc")] == [
        "__pycache__/shipped"
    ]


@pytest.mark.parametrize("make", [True, False], ids=["empty", "missing"])
def test_a_layer_that_is_not_built_is_refused_with_what_to_do(tmp_path: Path, make: bool) -> None:  # noqa: FBT001 - a parameter of the test
    folder = tmp_path / "deps"
    if make:
        folder.mkdir()

    with pytest.raises(Rejected, match="run `make layers` first"):
        zip_folder(folder)


def test_a_file_that_is_no_template_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"template.yaml": "- not\n- a template\n"}) / "template.yaml"

    with pytest.raises(Rejected, match="not a CloudFormation template"):
        read_template(path)


@pytest.fixture(scope="module")
def emulated() -> Iterator[Endpoint]:
    if not (BUILD / "deps-local.stamp").exists():
        pytest.skip("the layers are not built: run `make layers`")
    with Processes() as processes:
        yield ministack.start(processes, ROOT).endpoint


@pytest.fixture(scope="module")
def outputs(emulated: Endpoint) -> dict[str, str]:
    parameters = {"Emulator": "yes", "ReservedConcurrency": "7"}
    return deploy(emulated, TEMPLATE, "reflexarc-deploy", parameters, LOCAL)


@pytest.mark.emulator
def test_the_committed_template_deploys_and_returns_its_outputs(outputs: dict[str, str]) -> None:
    assert set(outputs) == set(read_template(TEMPLATE)["Outputs"])
    assert outputs["GpuFaultsQueueUrl"].endswith("/reflexarc-deploy-gpu-faults")


@pytest.mark.emulator
def test_what_the_emulator_drops_in_silence_is_set(
    emulated: Endpoint, outputs: dict[str, str]
) -> None:
    table = emulated.client("dynamodb").describe_time_to_live(
        TableName=outputs["IncidentsTableName"]
    )
    functions = emulated.client("lambda")

    assert table["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    for name, reserved in (("notify", 7), ("watchdog", None)):
        found = functions.get_function_concurrency(FunctionName=f"reflexarc-deploy-{name}")
        assert found.get("ReservedConcurrentExecutions") == reserved


@pytest.mark.emulator
def test_deploying_again_changes_nothing(emulated: Endpoint, outputs: dict[str, str]) -> None:
    parameters = {"Emulator": "yes", "ReservedConcurrency": "7"}

    again = deploy(emulated, TEMPLATE, "reflexarc-deploy", parameters, LOCAL)

    assert again == outputs


@pytest.mark.emulator
def test_a_failed_stack_names_the_resources_that_failed(emulated: Endpoint, tmp_path: Path) -> None:
    broken = {
        "Resources": {
            "Good": {"Type": "AWS::SQS::Queue"},
            "Bad": {"Type": "AWS::Nowhere::Thing", "Properties": {}},
        }
    }
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump(broken), encoding="utf-8")

    with pytest.raises(Rejected, match="AWS::Nowhere::Thing"):
        deploy(emulated, path, "broken", {}, {})


@pytest.mark.emulator
def test_a_value_that_a_parameter_does_not_allow_is_refused(emulated: Endpoint) -> None:
    with pytest.raises(Rejected, match="CloudFormation refused"):
        deploy(emulated, TEMPLATE, "refused", {"Emulator": "perhaps"}, LOCAL)
