"""`holdfast approvals`: what waits for a person, looked at and answered over HTTP."""

from functools import partial
from typing import Annotated

import typer

from holdfast.cli import approval_views
from holdfast.cli.approval_views import Status, call
from holdfast.cli.servers import AsJson, Limit, Server, with_server

app = typer.Typer(help="Look at requests for approval on a server, and answer them.", no_args_is_help=True)

ApprovalId = Annotated[str, typer.Argument(help="The approval's id, as `ls` shows it")]
Revision = Annotated[
    str | None, typer.Option(help="Only as it was then, as `show` says it", show_default="as it is")
]


@app.command("ls")
@with_server
def list_approvals(
    server: Server,
    status: Annotated[Status, typer.Option(help="Only approvals that are so")] = "open",
    role: Annotated[str | None, typer.Option(help="Only those that this role decides")] = None,
    limit: Limit = 20,
    json: AsJson = False,
) -> None:
    """List approvals: those that wait, next due first; others, newest first."""
    call(server, partial(approval_views.list_approvals, status, role, limit, json))


@app.command()
@with_server
def show(server: Server, approval_id: ApprovalId, json: AsJson = False) -> None:
    """Show an approval: its figures, how it stands, and what was done to it."""
    call(server, partial(approval_views.show_approval, approval_id, json))


@app.command()
@with_server
def approve(server: Server, approval_id: ApprovalId, revision: Revision = None, json: AsJson = False) -> None:
    """Say yes to all of an approval's actions."""
    yes = {"type": "approve"}
    call(server, partial(approval_views.decide, approval_id, yes, revision, json))


@app.command()
@with_server
def reject(
    server: Server,
    approval_id: ApprovalId,
    message: Annotated[str, typer.Option(help="Why; the graph is told")] = "",
    revision: Revision = None,
    json: AsJson = False,
) -> None:
    """Say no to all of an approval's actions."""
    no = {"type": "reject", "message": message} if message else {"type": "reject"}
    call(server, partial(approval_views.decide, approval_id, no, revision, json))
