"""What the commands of every document print of it."""

import json

import typer
import yaml
from pydantic import BaseModel


def print_document(text: str, *, as_json: bool, width: int = 80) -> None:
    """Print a document that was pushed: as YAML, or as the JSON that it is kept as."""
    typer.echo(
        text if as_json else yaml.safe_dump(json.loads(text), sort_keys=False, width=width),
        nl=as_json,
    )


def print_schema(document: type[BaseModel]) -> None:
    """Print a document's JSON Schema."""
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    typer.echo(json.dumps(draft | document.model_json_schema(), indent=2))
