"""The console of every command: as wide as the terminal; in a pipe no line is cut."""

import os
import sys

from rich.console import Console

# A pipe has no width of its own. Nothing may be cut there: people search it line by line.
PIPE = 400


def console() -> Console:
    """Return where a command prints; colours are for terminals alone."""
    # rich obeys it as well
    narrow = sys.stdout.isatty() or "COLUMNS" in os.environ  # noqa: TID251
    return Console(emoji=False, width=None if narrow else PIPE)
