"""Where things lie in the checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
TEMPLATE = ROOT / "infra" / "template.yaml"
# What functions are made of beside their handlers, each a folder of BUILD.
LAYERS = ("core", "deps", "otlp")
