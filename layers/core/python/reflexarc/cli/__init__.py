"""The `reflexarc` command."""

from reflexarc.cli.app import main

__all__ = ["main"]
