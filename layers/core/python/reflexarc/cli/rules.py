"""`reflexarc rules`: what telemetry stays and what goes; tried out before it is in force."""

import typer

from reflexarc.cli.rules_document import check, push, rollback, schema, show
from reflexarc.cli.rules_explain import explain
from reflexarc.cli.rules_list import list_rules
from reflexarc.cli.rules_preview import preview
from reflexarc.cli.rules_suggest import suggest
from reflexarc.cli.rules_test import try_out

rules_app = typer.Typer(
    no_args_is_help=True,
    help="Rules over telemetry: write, try out on what came, push, look after, take back.",
)
for _name, _command in (
    ("check", check),
    ("test", try_out),
    ("preview", preview),
    ("explain", explain),
    ("suggest", suggest),
    ("push", push),
    ("list", list_rules),
    ("show", show),
    ("rollback", rollback),
    ("schema", schema),
):
    rules_app.command(_name)(_command)
