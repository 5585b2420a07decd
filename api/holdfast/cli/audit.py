"""`holdfast audit`: the audit trail checked and taken out, beside the servers that write it."""

from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from holdfast.cli import audit_views
from holdfast.cli.audit_views import Format
from holdfast.cli.operators import CONFIG, Config, operate
from holdfast.core.trail import read_head

app = typer.Typer(help="Check the audit trail of approvals, and take it out.", no_args_is_help=True)


@app.command()
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(help="Where a trail stood, as LANE:SEQ:LINK; may be given again", metavar="HEAD"),
    ] = None,
    config: Config = CONFIG,
) -> None:
    """Say whether the trail is as it was written, and what is not; then the exit code is 1."""
    wrong: list[str] = []
    operate(config, partial(audit_views.verify, [read_head(one) for one in head or ()], wrong))
    if wrong:
        raise typer.Exit(1)


@app.command("export")
def export_trail(
    format: Annotated[Format, typer.Option(help="One JSON object a line, or a table")] = "jsonl",
    since: Annotated[
        datetime | None, typer.Option(help="Only entries from this time on (UTC)", show_default="the first")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Only entries of this tenant", show_default="all")
    ] = None,
    config: Config = CONFIG,
) -> None:
    """Write the trail to standard output, with the names of those who were not erased."""
    operate(config, partial(audit_views.export, format, since, tenant))
