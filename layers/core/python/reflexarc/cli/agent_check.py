"""`reflexarc agent check`: not here yet."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def check(config: Path | None, given: Mapping[str, Any], *, send: bool, as_json: bool) -> int:
    """Look."""
    del config, given, send, as_json
    return 0
