"""Every message has a schema, an example that satisfies it, and a frozen digest once published."""

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import BaseModel

from tests.contract.schemas import FOLDER, MESSAGES, name_of, problems, render

EXAMPLES = FOLDER.parent / "examples"


def test_schemas_equal_their_models_and_published_ones_did_not_change() -> None:
    assert problems() == []


def test_a_published_schema_that_changes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "FROZEN").write_text(f"{'0' * 64}  signal.v1.json\n")
    for message in MESSAGES:
        (tmp_path / name_of(message)).write_text(render(message))

    assert problems(tmp_path) == [
        "signal.v1.json is published and may not change: add a new version of its model"
    ]


@pytest.mark.parametrize("message", MESSAGES, ids=name_of)
def test_every_message_has_an_example_that_its_schema_and_model_accept(
    message: type[BaseModel],
) -> None:
    name = name_of(message)
    example = json.loads((EXAMPLES / f"{name.split('.')[0]}.json").read_text())

    jsonschema.validate(example, json.loads((FOLDER / name).read_text()))
    again = json.loads(message.model_validate(example).model_dump_json(by_alias=True))

    assert again["schema"] == example["schema"]


@pytest.mark.parametrize("message", MESSAGES, ids=name_of)
def test_unknown_fields_of_a_later_version_are_kept(message: type[BaseModel]) -> None:
    example = json.loads((EXAMPLES / f"{name_of(message).split('.')[0]}.json").read_text())

    read = message.model_validate({**example, "from_the_future": 1})

    assert json.loads(read.model_dump_json(by_alias=True))["from_the_future"] == 1


def test_no_example_lacks_a_message() -> None:
    known = {name_of(message).split(".")[0] for message in MESSAGES}
    assert {path.stem for path in Path(EXAMPLES).glob("*.json")} == known
