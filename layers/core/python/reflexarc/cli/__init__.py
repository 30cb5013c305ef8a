"""The `reflexarc` command."""


def main() -> None:
    """Run the command line."""
    from reflexarc.cli.app import app  # noqa: PLC0415 - a command's module must not load them all

    app()
