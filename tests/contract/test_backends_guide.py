"""docs/guides/backends.md shows what the document takes, and names every key of it."""

import re
from pathlib import Path

import yaml

from reflexarc.telemetry.backends import Backend, Forwarding, HandOn

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "backends.md").read_text()


def example() -> Forwarding:
    (block,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    return Forwarding.model_validate(yaml.safe_load(block))


def test_the_example_is_a_document_that_is_taken() -> None:
    forwarding = example()

    assert [each.name for each in forwarding.to("traces")] == [
        "honeycomb", "grafana", "cloudwatch-traces",
    ]  # fmt: skip


def test_every_key_of_a_backend_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))

    assert explained == set(Backend.model_fields)


def test_everything_that_is_handed_on_is_named() -> None:
    named = {name for name in HandOn.model_fields if f"hand_on.{name}" in GUIDE or name in GUIDE}

    assert named == set(HandOn.model_fields)
