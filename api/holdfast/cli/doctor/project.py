"""The project: whether its graphs can be opened, and what it says of its own business."""

from pathlib import Path

from holdfast.cli.doctor.findings import Finding, fail, ok
from holdfast.core import checkup
from holdfast.errors import HoldfastError, StartError
from holdfast.imports import reason
from holdfast.project import GraphSpec, Project, load_project


async def examine(config: Path) -> list[Finding]:
    try:
        project = load_project(config)
        for spec in project.graphs.values():
            await try_out(spec)
    except HoldfastError as error:
        return [fail("project", error.detail)]
    graphs = ", ".join(project.graphs)
    return [ok("project", f"{config} with {graphs}"), await examine_business(project)]


async def try_out(spec: GraphSpec) -> None:
    try:
        async with spec.open({"configurable": {}}):
            pass
    except StartError:
        raise
    except Exception as error:  # whatever the project's own factory raises
        raise StartError(
            f"Graph {spec.graph_id!r}: it cannot be made, {type(error).__name__}: {reason(error)}."
        ) from error


async def examine_business(project: Project) -> Finding:
    """What only the project knows: its database, the key of its model."""
    if project.hooks.check is None:
        return ok("business", "the project has no check of its own")
    problem = await checkup.ask(project.hooks.check)
    return fail("business", problem) if problem else ok("business", "the project's own check is content")
