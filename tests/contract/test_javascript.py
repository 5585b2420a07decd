"""The official JavaScript client, in the line that `latest` names and in the one that is kept up."""

import asyncio
import json
from typing import Any

import pytest

from tests.programs import need_program, refuse
from tests.servers import ROOT

FOLDER = ROOT / "tests" / "js"
STEP = ["custom", "updates", "values"]
NEXT: list[list[str]] = [[], ["three"], ["two"], ["one"], ["__start__"]]
SEEN: dict[str, Any] = {
    "talks": [["hi", "you said hi"], ["hi", "you said hi"], "idle"],
    "streams": ["metadata", "values", *STEP * 3],
    "asks_and_is_answered": [{"question": "which one?"}, {"question": "which one?"}, ["answered yes"]],
    "joins_what_another_began": [["one", "two", "three"], ["metadata", "updates", "updates", "updates"]],
    "cancels": "interrupted",
    "looks_back_and_forks": [NEXT, ["one", "fork", "two", "three"]],
    "runs_without_a_thread": ["alone", "you said alone"],
    "finds_threads": [1, 2],
    "is_refused": [404, 409],
    "makes_an_assistant": [[[2, "Tea house"], [1, "Tea"]], ["tea"]],
    "keeps_items": [{"likes": "tea"}, ["ann"], None],
    "keeps_a_cron": ["0 0 1 1 *", 1],
}


@pytest.fixture(scope="module", params=["sdk-1", "sdk-2"], ids=["1.15.0", "2.0.0"])
async def seen(request: pytest.FixtureRequest, url: str) -> Any:
    """What each flow saw, with one of the clients."""
    node = need_program("node", package="npm")
    if not (FOLDER / "node_modules" / request.param).is_dir():
        refuse("the clients are not installed: apt-get install npm, then make test installs them")
    process = await asyncio.create_subprocess_exec(
        node, "flows.mjs", request.param, url, cwd=FOLDER, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), 50)
    return json.loads(said)


@pytest.mark.parametrize("flow", SEEN)
async def test_a_flow_of_the_javascript_client(seen: Any, flow: str) -> None:
    assert seen[flow] == SEEN[flow]
