"""`holdfast threads`: what operators do with threads, beside the servers that serve them."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli import thread_files, thread_views
from holdfast.cli.operators import CONFIG, TENANT, Config, Tenant, Yes, operate
from holdfast.wire.threads import ThreadStatus

app = typer.Typer(help="Look at threads, move them, and erase them.", no_args_is_help=True)

ThreadId = Annotated[str, typer.Argument(help="The thread's id")]


@app.command("ls")
def list_threads(
    status: Annotated[ThreadStatus | None, typer.Option(help="Only threads that are so")] = None,
    owner: Annotated[str, typer.Option(help="Only threads of this subject")] = "",
    tenant: Tenant = TENANT,
    limit: Annotated[int, typer.Option(help="At most so many", min=1)] = 20,
    config: Config = CONFIG,
) -> None:
    """List threads, the newest first."""
    operate(config, partial(thread_views.list_threads, tenant, owner, status, limit))


@app.command()
def show(
    thread_id: ThreadId,
    messages: Annotated[int, typer.Option(help="How many of the last messages", min=0)] = 10,
    config: Config = CONFIG,
) -> None:
    """Show a thread: its record, its runs, what waits, and the last messages."""
    operate(config, partial(thread_views.show_thread, thread_id, messages))


@app.command()
def tail(
    thread_id: ThreadId,
    lines: Annotated[int, typer.Option(help="How many events of the past", min=0)] = 10,
    once: Annotated[bool, typer.Option("--once", help="Do not wait for more")] = False,
    config: Config = CONFIG,
) -> None:
    """Follow what happens on a thread, until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        operate(config, partial(thread_views.tail_thread, thread_id, lines, once))


@app.command()
def size(thread_id: ThreadId, config: Config = CONFIG) -> None:
    """Say what a thread weighs, and why."""
    operate(config, partial(thread_views.show_size, thread_id))


@app.command("export")
def export_thread(
    thread_id: ThreadId,
    output: Annotated[
        Path | None, typer.Option(help="The file, - for standard output", show_default="<thread id>.json")
    ] = None,
    config: Config = CONFIG,
) -> None:
    """Take a thread out as one JSON file: its record, its runs and all of its checkpoints."""
    operate(config, partial(thread_files.export_thread, thread_id, output))


@app.command("import")
def import_thread(
    file: Annotated[Path, typer.Argument(help="What `export` wrote, - for standard input")],
    id: Annotated[str | None, typer.Option(help="Under another id", show_default="its own")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Erase the thread that has the id")] = False,
    config: Config = CONFIG,
) -> None:
    """Put a thread in that was taken out, here or elsewhere."""
    operate(config, partial(thread_files.import_thread, file, id, replace))


@app.command()
def erase(thread_id: ThreadId, yes: Yes = False, config: Config = CONFIG) -> None:
    """Erase a thread and all that belongs to it; its runs end first."""
    operate(config, partial(thread_views.erase_thread, thread_id, yes))
