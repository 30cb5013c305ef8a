"""Writes and checks events/schemas: `python -m tests.contract.schemas write|check`.

A schema that events/schemas/FROZEN lists is published: its bytes never change again; a change of
its model is a new version beside it. A release adds its schemas to that list:
`cd events/schemas && sha256sum *.json > FROZEN`.
"""

import hashlib
import json
import sys
from pathlib import Path

from pydantic import BaseModel

from reflexarc.events.action import Action, Timer
from reflexarc.events.fleet import Leaving, Unheard
from reflexarc.events.forward import Forward
from reflexarc.events.gpu_faults import GpuFaults
from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.events.incident import Incident
from reflexarc.events.llm_spans import LlmSpans
from reflexarc.events.notice import Canary, Notice, WakeUp
from reflexarc.events.otlp_batch import OtlpBatch
from reflexarc.events.page import Page, Silence
from reflexarc.events.page_event import PageEvent
from reflexarc.events.rejected import RejectedMessage
from reflexarc.events.series import Series
from reflexarc.events.signal import Signal

FOLDER = Path(__file__).parents[2] / "events" / "schemas"
MESSAGES: tuple[type[BaseModel], ...] = (
    Action,
    Canary,
    Forward,
    GpuFaults,
    GpuReadings,
    Incident,
    Leaving,
    LlmSpans,
    Notice,
    OtlpBatch,
    Page,
    PageEvent,
    RejectedMessage,
    Series,
    Signal,
    Silence,
    Timer,
    Unheard,
    WakeUp,
)


def name_of(message: type[BaseModel]) -> str:
    """Return the file name of a message's schema: gpu_faults.v1.json."""
    title, version = message.model_fields["schema_"].default.split("/")
    return f"{title}.v{version}.json"


def render(message: type[BaseModel]) -> str:
    """Return the JSON Schema of a message as its file holds it."""
    schema = message.model_json_schema(by_alias=True, mode="validation")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def digest(text: str) -> str:
    """Return the sha256 of a schema's bytes, as sha256sum prints it."""
    return hashlib.sha256(text.encode()).hexdigest()


def frozen(folder: Path = FOLDER) -> dict[str, str]:
    """Return the published schemas: file name -> digest, in the form of sha256sum."""
    path = folder / "FROZEN"
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: value for value, name in (line.split() for line in lines)}


def problems(folder: Path = FOLDER) -> list[str]:
    """Return what is wrong between the models, the files and the published digests."""
    published = frozen(folder)
    found = []
    for message in MESSAGES:
        name, text = name_of(message), render(message)
        path = folder / name
        if published.get(name, digest(text)) != digest(text):
            found.append(f"{name} is published and may not change: add a new version of its model")
        elif not path.exists() or path.read_text() != text:
            found.append(f"{name} differs from its model: run `make schemas`")
    known = {name_of(message) for message in MESSAGES}
    extra = sorted({path.name for path in folder.glob("*.json")} - known)
    return found + [f"{name} has no model" for name in extra]


def write() -> None:
    """Write every schema that is not published yet."""
    published = frozen()
    for message in MESSAGES:
        name = name_of(message)
        if name not in published:
            (FOLDER / name).write_text(render(message))


def main(command: str) -> int:
    """Run one command; return its exit status."""
    if command == "write":
        write()
    found = problems()
    sys.stderr.writelines(f"{problem}\n" for problem in found)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
